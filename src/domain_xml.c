/* domain_xml.c - what a domain's configuration tells. libxml2 makes a tree of it; what matters is
 * looked up in that without taking memory, so that nothing can seem to be missing for want of it.
 */
#include "domain_xml.h"

#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_ELEMENT "settings"

/* libvirt keeps the period of statistics in an int. */
static const uint64_t PERIOD_MOST_SEC = INT32_MAX;

/* libxml2 has made it const in 2.12. */
#if LIBXML_VERSION >= 21200
typedef const xmlError *xml_error;
#else
typedef xmlError *xml_error;
#endif

/* ---- the tree ---- */

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && node->ns == NULL &&
           strcmp((const char *)node->name, name) == 0;
}

/* The first element NAME of NODE and those behind it; NULL if there is none. */
static const xmlNode *find_from(const xmlNode *node, const char *name)
{
    while (node != NULL && !is_element(node, name))
        node = node->next;
    return node;
}

/* The first element NAME within PARENT, which may be NULL; NULL if there is none. */
static const xmlNode *find_child(const xmlNode *parent, const char *name)
{
    return parent != NULL ? find_from(parent->children, name) : NULL;
}

/* The text that an element or an attribute holds; NULL if it holds anything else. */
static const char *text_of(const xmlNode *children)
{
    if (children == NULL)
        return "";
    bool is_text = children->type == XML_TEXT_NODE && children->next == NULL;
    return is_text ? (const char *)children->content : NULL;
}

/* What ELEMENT, which may be NULL, has at the attribute NAME; ABSENT if it has none. */
static const char *attribute_of(const xmlNode *element, const char *name, const char *absent)
{
    const xmlAttr *attribute =
        element != NULL ? xmlHasNsProp(element, (const xmlChar *)name, NULL) : NULL;
    return attribute != NULL ? text_of(attribute->children) : absent;
}

/* Reads a whole number. Returns 0, or -EINVAL where TEXT, which may be NULL, is none up to MOST. */
static int parse_number(const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end;
    if (text == NULL || !isdigit((unsigned char)*text))
        return -EINVAL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number > most)
        return -EINVAL;
    *ret_number = number;
    return 0;
}

/* ---- the balloon and its bounds ---- */

/* libvirt writes KiB, whatever unit it was told. */
static int read_size(const xmlNode *root, const char *name, uint64_t *ret_kib)
{
    const xmlNode *memory = find_child(root, name);
    const char *unit = attribute_of(memory, "unit", "KiB");
    if (memory == NULL)
        return 0;
    if (unit == NULL || strcmp(unit, "KiB") != 0)
        return -EINVAL;
    return parse_number(text_of(memory->children), UINT64_MAX, ret_kib);
}

static bool has_attribute(const xmlNode *element, const char *name, const char *value)
{
    const char *its_value = attribute_of(element, name, NULL);
    return its_value != NULL && strcmp(its_value, value) == 0;
}

/* Whether PARENT, which may be NULL, has an element NAME with VALUE at ATTRIBUTE. */
static bool has_child_with(const xmlNode *parent, const char *name, const char *attribute,
                           const char *value)
{
    const xmlNode *child = find_child(parent, name);
    while (child != NULL && !has_attribute(child, attribute, value))
        child = find_from(child->next, name);
    return child != NULL;
}

/*
 * Devices to which QEMU gives all of the guest's memory, so that it gives back nothing of what is
 * in the balloon (ram_block_discard_disable() and ram_block_uncoordinated_discard_disable(): VFIO,
 * vDPA, and NVMe driven by QEMU itself). A mediated device's driver is believed to follow the
 * balloon only where it is one of s390's, vfio-ccw and vfio-ap.
 */
static bool has_passed_device(const xmlNode *devices)
{
    static const struct {
        const char *element;
        const char *attribute;
        const char *value;
    } kinds[] = {
        {"hostdev", "type", "pci"},       {"hostdev", "model", "vfio-pci"},
        {"interface", "type", "hostdev"}, {"interface", "type", "vdpa"},
        {"disk", "type", "nvme"},         {"disk", "type", "vhostvdpa"},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (has_child_with(devices, kinds[i].element, kinds[i].attribute, kinds[i].value))
            return true;
    return false;
}

/* Of several the one that matters most for what the domain counts for. The balloon's figures know
 * nothing of virtio-mem, the domain's memory includes it. */
static enum domain_obstacle find_obstacle(const xmlNode *root, const xmlNode *devices,
                                          const xmlNode *balloon)
{
    const xmlNode *backing = find_child(root, "memoryBacking");
    if (find_child(backing, "hugepages") != NULL)
        return OBSTACLE_HUGE_PAGES;
    if (balloon == NULL || has_attribute(balloon, "model", "none"))
        return OBSTACLE_NO_BALLOON;
    if (has_child_with(devices, "memory", "model", "virtio-mem"))
        return OBSTACLE_VIRTIO_MEM;
    if (has_passed_device(devices))
        return OBSTACLE_DEVICE;
    if (find_child(root, "launchSecurity") != NULL)
        return OBSTACLE_ENCRYPTED;
    return find_child(backing, "locked") != NULL ? OBSTACLE_LOCKED : OBSTACLE_NONE;
}

static int read_balloon(const xmlNode *root, struct domain *domain)
{
    const xmlNode *devices = find_child(root, "devices");
    const xmlNode *balloon = find_child(devices, "memballoon");
    uint64_t period_sec;
    if (parse_number(attribute_of(find_child(balloon, "stats"), "period", "0"), PERIOD_MOST_SEC,
                     &period_sec) != 0)
        return -EINVAL;
    domain->period_sec = (unsigned int)period_sec;
    domain->obstacle = find_obstacle(root, devices, balloon);
    domain->has_balloon = domain->obstacle == OBSTACLE_NONE;
    return 0;
}

/* ---- what its owner has set ---- */

/* Sets what stands at ATTRIBUTE. Returns 0, or -EINVAL with the reason in ERROR. */
static int take_setting(const xmlAttr *attribute, struct settings *settings, char *error)
{
    const char *name = (const char *)attribute->name;
    const char *value = text_of(attribute->children);
    return settings_set(settings, name, value != NULL ? value : "", error) == 0 ? 0 : -EINVAL;
}

static bool is_empty(const xmlNode *element)
{
    for (const xmlNode *child = element->children; child != NULL; child = child->next)
        if (child->type != XML_COMMENT_NODE && xmlIsBlankNode(child) == 0)
            return false;
    return true;
}

static int parse_settings(const xmlNode *element, struct settings *ret_settings, char *error)
{
    struct settings settings = {0};
    char quoted[SETTINGS_QUOTE_BYTES];
    if (strcmp((const char *)element->name, SETTINGS_ELEMENT) != 0) {
        snprintf(error, SETTINGS_ERROR_BYTES, "element '%s', expected '" SETTINGS_ELEMENT "'",
                 settings_quote((const char *)element->name, quoted));
        return -EINVAL;
    }
    if (!is_empty(element)) {
        snprintf(error, SETTINGS_ERROR_BYTES,
                 "something within the element '" SETTINGS_ELEMENT "', expected attributes only");
        return -EINVAL;
    }
    for (const xmlAttr *attribute = element->properties; attribute; attribute = attribute->next)
        if (attribute->ns == NULL && take_setting(attribute, &settings, error) != 0)
            return -EINVAL;
    if (settings_check(&settings, error) != 0)
        return -EINVAL;
    *ret_settings = settings;
    return 0;
}

/* The first element of ours of NODE and those behind it; NULL if there is none. */
static const xmlNode *find_ours(const xmlNode *node)
{
    while (node != NULL &&
           (node->type != XML_ELEMENT_NODE || node->ns == NULL ||
            strcmp((const char *)node->ns->href, DOMAIN_XML_SETTINGS_NAMESPACE) != 0))
        node = node->next;
    return node;
}

/* Metadata that is wrong is refused whole: what was right before still holds. */
static void read_settings(const xmlNode *root, struct domain *domain, char *error)
{
    const xmlNode *metadata = find_child(root, "metadata");
    const xmlNode *ours = metadata != NULL ? find_ours(metadata->children) : NULL;
    *error = '\0';
    if (ours == NULL)
        domain->settings = (struct settings){0};
    else if (find_ours(ours->next) != NULL)
        snprintf(error, SETTINGS_ERROR_BYTES,
                 "more than one element of " DOMAIN_XML_SETTINGS_NAMESPACE ", expected one");
    else
        parse_settings(ours, &domain->settings, error);
}

/* ---- the whole ---- */

/* libxml2 does not give up every parse that ran short of memory; what it has then may lack parts.
 * Whether it did is told only to whom listens to its errors. */
static void note_shortage(void *argument, xml_error error)
{
    bool *is_short = argument;
    *is_short = *is_short || error->code == XML_ERR_NO_MEMORY;
}

/* libvirt writes no document type, and with it nothing that could declare entities. */
static int read_document(const xmlDoc *document, struct domain *domain, char *settings_error)
{
    const xmlNode *root = xmlDocGetRootElement(document);
    struct domain read = *domain;
    read.max_kib = read.current_kib = 0;
    if (document->intSubset != NULL || root == NULL || !is_element(root, "domain"))
        return -EINVAL;
    if (read_size(root, "memory", &read.max_kib) != 0 ||
        read_size(root, "currentMemory", &read.current_kib) != 0 || read_balloon(root, &read) != 0)
        return -EINVAL;
    read_settings(root, &read, settings_error);
    *domain = read;
    return 0;
}

int domain_xml_read(const char *xml, struct domain *domain,
                    char settings_error[SETTINGS_ERROR_BYTES])
{
    bool is_short = false;
    xmlSetStructuredErrorFunc(&is_short, note_shortage);
    xmlDocPtr document = xmlReadDoc((const xmlChar *)xml, "domain.xml", NULL, XML_PARSE_NONET);
    xmlSetStructuredErrorFunc(NULL, NULL);
    int result = is_short ? -ENOMEM : -EINVAL;
    if (document != NULL && !is_short)
        result = read_document(document, domain, settings_error);
    xmlFreeDoc(document);
    return result;
}

/* ---- changing what its owner has set ---- */

static int apply_change(xmlNode *element, const struct domain_xml_change *change, char *error)
{
    struct settings scratch = {0};
    const xmlChar *key = (const xmlChar *)change->key;
    /* Not the value, which may be wrong already, but the key must be one. */
    if (*change->value == '\0' &&
        settings_set(&scratch, change->key, change->value, error) == -ENOENT)
        return -EINVAL;
    if (*change->value == '\0')
        return xmlUnsetProp(element, key) <= 0 ? 0 : -ENOMEM;
    return xmlSetProp(element, key, (const xmlChar *)change->value) != NULL ? 0 : -ENOMEM;
}

static int dump_element(xmlDoc *document, xmlNode *element, char **ret_element)
{
    xmlBuffer *buffer = xmlBufferCreate();
    if (buffer == NULL)
        return -ENOMEM;
    int length = xmlNodeDump(buffer, document, element, 0, 0);
    char *text = length > 0 ? strdup((const char *)xmlBufferContent(buffer)) : NULL;
    xmlBufferFree(buffer);
    if (text == NULL)
        return -ENOMEM;
    *ret_element = text;
    return 0;
}

static int change_document(xmlDoc *document, const struct domain_xml_change *changes, size_t count,
                           char **ret_element, char *error)
{
    struct settings settings;
    xmlNode *element = xmlDocGetRootElement(document);
    for (size_t i = 0; i < count; i++) {
        int result = apply_change(element, &changes[i], error);
        if (result != 0)
            return result;
    }
    if (parse_settings(element, &settings, error) != 0)
        return -EINVAL;
    *ret_element = NULL;
    return element->properties == NULL ? 0 : dump_element(document, element, ret_element);
}

int domain_xml_change_settings(const char *element, const struct domain_xml_change *changes,
                               size_t count, char **ret_element, char *error)
{
    const char *start = element != NULL ? element : "<" SETTINGS_ELEMENT "/>";
    xmlDoc *document = xmlReadDoc((const xmlChar *)start, "settings.xml", NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (document == NULL || xmlDocGetRootElement(document) == NULL) {
        xmlFreeDoc(document);
        snprintf(error, SETTINGS_ERROR_BYTES, "its metadata cannot be parsed");
        return -EINVAL;
    }
    int result = change_document(document, changes, count, ret_element, error);
    xmlFreeDoc(document);
    return result;
}
