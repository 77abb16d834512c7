/*
 * redirect.c - a library to be preloaded: for the program it is loaded into, qemu:///system,
 * written in its code, is $LIBVIRT_DEFAULT_URI. All other connections are as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *redirected(const char *name)
{
    const char *uri = getenv("LIBVIRT_DEFAULT_URI");
    if (name == NULL || uri == NULL || strcmp(name, "qemu:///system") != 0)
        return name;
    fprintf(stderr, "(qemu:///system is here %s)\n", uri);
    return uri;
}

/* The function of that name in libvirt itself. Who calls it has loaded that, but it may be out of
 * sight, as for the modules of an interpreter. */
static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    void *library = function == NULL ? dlopen("libvirt.so.0", RTLD_LAZY | RTLD_NOLOAD) : NULL;
    if (library != NULL)
        function = dlsym(library, name);
    if (function == NULL)
        abort();
    return function;
}

virConnectPtr virConnectOpen(const char *name)
{
    virConnectPtr (*open)(const char *) = original("virConnectOpen");
    return open(redirected(name));
}

virConnectPtr virConnectOpenReadOnly(const char *name)
{
    virConnectPtr (*open)(const char *) = original("virConnectOpenReadOnly");
    return open(redirected(name));
}

virConnectPtr virConnectOpenAuth(const char *name, virConnectAuthPtr auth, unsigned int flags)
{
    virConnectPtr (*open)(const char *, virConnectAuthPtr, unsigned int) =
        original("virConnectOpenAuth");
    return open(redirected(name), auth, flags);
}
