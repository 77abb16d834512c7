/*
 * domain_xml.h - what a domain's configuration tells, of all that libvirt writes into its XML.
 *
 * Pure: a text comes in, figures of the domain come out. It neither prints nor knows libvirt.
 */
#ifndef MC_DOMAIN_XML_H
#define MC_DOMAIN_XML_H

#include "settings.h"
#include "snapshot.h"

/* Of our element in a domain's <metadata>; what `virsh metadata --uri` takes. */
#define DOMAIN_XML_SETTINGS_NAMESPACE "urn:memory-coordinator:settings"

/*
 * Reads XML into DOMAIN: max_kib, current_kib, has_balloon and obstacle, period_sec, and what its
 * owner has set in its metadata. Settings that are wrong leave those in DOMAIN as they are, and
 * SETTINGS_ERROR says why; "" where they are right. What is not there is 0. Returns 0; -EINVAL
 * where it is no configuration of a domain, or sizes are not as libvirt writes them (whole KiB),
 * -ENOMEM; all is then as it was.
 */
int domain_xml_read(const char *xml, struct domain *domain,
                    char settings_error[SETTINGS_ERROR_BYTES]);

/* A change of one setting: "KEY=VALUE"; without a VALUE the setting is removed. */
struct domain_xml_change {
    const char *key;
    const char *value; /* "": remove it */
};

/*
 * Makes COUNT changes in ELEMENT, our element as it stands in a domain's metadata, or NULL where
 * there is none. Returns 0 and the new one, to be freed by the caller, in *RET_ELEMENT: NULL where
 * nothing is left to be set; or -EINVAL with the reason in ERROR (SETTINGS_ERROR_BYTES of it),
 * -ENOMEM.
 */
int domain_xml_change_settings(const char *element, const struct domain_xml_change *changes,
                               size_t count, char **ret_element, char *error);

#endif
