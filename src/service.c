/* service.c - what a service manager is told. That it does not listen is no failure of ours. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* The environment stays: sd_notify() reads it each time. */
static const int KEEP_ENVIRONMENT = 0;

struct service service_open(void)
{
    uint64_t limit_usec;
    struct service service = {
        .is_listening = getenv("NOTIFY_SOCKET") != NULL,
        .pause_usec = UINT64_MAX,
    };
    if (service.is_listening && sd_watchdog_enabled(KEEP_ENVIRONMENT, &limit_usec) > 0)
        service.pause_usec = limit_usec / 2;
    return service;
}

static void tell(const struct service *service, const char *state)
{
    if (service->is_listening)
        sd_notify(KEEP_ENVIRONMENT, state);
}

void service_ready(const struct service *service)
{
    tell(service, "READY=1");
}

void service_reloading(const struct service *service)
{
    tell(service, "RELOADING=1");
}

void service_stopping(const struct service *service)
{
    tell(service, "STOPPING=1");
}

void service_alive(const struct service *service)
{
    if (service->pause_usec != UINT64_MAX)
        tell(service, "WATCHDOG=1");
}

void service_status(struct service *service, const char *text)
{
    char state[SERVICE_STATUS_BYTES + sizeof("STATUS=")];
    if (strncmp(text, service->status, sizeof(service->status) - 1) == 0)
        return;
    snprintf(service->status, sizeof(service->status), "%s", text);
    snprintf(state, sizeof(state), "STATUS=%s", service->status);
    tell(service, state);
}
