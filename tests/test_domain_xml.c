/* test_domain_xml.c - what is read of a domain's configuration, and what of it is refused. */
#include "domain_xml.h"
#include "settings.h"
#include "support.h"

#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#define OURS "xmlns:m='" DOMAIN_XML_SETTINGS_NAMESPACE "'"

/* ---- what is read ---- */

static const struct {
    const char *xml;
    uint64_t max_kib;
    bool has_balloon;
    unsigned int period_sec;
} readable[] = {
    /* as libvirt writes it */
    {"<domain type='kvm' id='3'>\n  <name>vm</name>\n  <memory unit='KiB'>2097152</memory>\n"
     "  <currentMemory unit='KiB'>524288</currentMemory>\n  <devices>\n"
     "    <memballoon model='virtio'>\n      <stats period='2'/>\n    </memballoon>\n"
     "  </devices>\n</domain>\n",
     2097152, true, 2},
    /* what is not there */
    {"<domain/>", 0, false, 0},
    {"<domain><devices/></domain>", 0, false, 0},
    {"<domain><memory>7</memory></domain>", 7, false, 0},
    {"<domain><devices><memballoon/></devices></domain>", 0, true, 0},
    {"<domain><devices><memballoon model='virtio'><stats/></memballoon></devices></domain>", 0,
     true, 0},
    {"<domain><devices><memballoon model=''/></devices></domain>", 0, true, 0},
    /* no balloon of use */
    {"<domain><devices><memballoon model='none'/></devices></domain>", 0, false, 0},
    {"<domain><devices><memory model='virtio-mem'/><memballoon model='virtio'/></devices>"
     "</domain>",
     0, false, 0},
    {"<domain><devices><memballoon model='virtio'/><memory model='dimm'/>"
     "<memory model='virtio-mem'/></devices></domain>",
     0, false, 0},
    {"<domain><devices><memballoon model='virtio'/><memory model='dimm'/><memory/></devices>"
     "</domain>",
     0, true, 0},
    /* elements of the same name that are others' */
    {"<domain><memory xmlns='urn:x'>7</memory><cpu><memory>8</memory></cpu>"
     "<memory>9</memory></domain>",
     9, false, 0},
    {"<domain><memballoon model='virtio'/><devices><x><memballoon/></x></devices></domain>", 0,
     false, 0},
    {"<domain><memory>9</memory><memory>10</memory></domain>", 9, false, 0},
    /* large numbers */
    {"<domain><memory unit='KiB'>18446744073709551615</memory></domain>", UINT64_MAX, false, 0},
    {"<domain><memory>0009007199254740993</memory></domain>", UINT64_C(9007199254740993), false, 0},
    {"<domain><devices><memballoon><stats period='2147483647'/></memballoon></devices></domain>", 0,
     true, 2147483647},
};

/* A domain of which everything is known otherwise. */
static struct domain other_domain(void)
{
    struct domain domain;
    memset(&domain, 0, sizeof(domain));
    domain.max_kib = 12345;
    domain.has_balloon = true;
    domain.period_sec = 99;
    domain.id = 4;
    domain.settings.shares = (struct figure){true, 7};
    return domain;
}

START_TEST(reads_the_balloon_and_its_bounds)
{
    char error[SETTINGS_ERROR_BYTES] = "of old";
    struct domain domain = other_domain();
    ck_assert_int_eq(domain_xml_read(readable[_i].xml, &domain, error), 0);
    ck_assert_uint_eq(domain.max_kib, readable[_i].max_kib);
    ck_assert_int_eq(domain.has_balloon, readable[_i].has_balloon);
    ck_assert_uint_eq(domain.period_sec, readable[_i].period_sec);
    ck_assert_int_eq(domain.id, 4); /* not its business */
    ck_assert(!domain.settings.shares.known);
    ck_assert_str_eq(error, "");
}
END_TEST

#define WITH_BALLOON "<memballoon model='virtio'/>"
#define DEVICES(xml) "<domain><devices>" xml WITH_BALLOON "</devices></domain>"
#define BESIDE(xml)  "<domain>" xml "<devices>" WITH_BALLOON "</devices></domain>"

static const struct {
    const char *xml;
    enum domain_obstacle want;
} obstacles[] = {
    {DEVICES(""), OBSTACLE_NONE},
    {"<domain/>", OBSTACLE_NO_BALLOON},
    {"<domain><devices><memballoon model='none'/></devices></domain>", OBSTACLE_NO_BALLOON},
    {DEVICES("<memory model='dimm'/><memory model='virtio-mem'/>"), OBSTACLE_VIRTIO_MEM},
    /* all of the guest's memory is a device's */
    {DEVICES("<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
             "<address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source></hostdev>"),
     OBSTACLE_DEVICE},
    {DEVICES("<hostdev mode='subsystem' type='usb'/><hostdev mode='subsystem' type='pci'/>"),
     OBSTACLE_DEVICE},
    {DEVICES("<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>"), OBSTACLE_DEVICE},
    {DEVICES("<interface type='network'/><interface type='hostdev' managed='yes'/>"),
     OBSTACLE_DEVICE},
    {DEVICES("<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"),
     OBSTACLE_DEVICE},
    {DEVICES("<disk type='file' device='disk'/><disk type='nvme' device='disk'/>"),
     OBSTACLE_DEVICE},
    {DEVICES("<disk type='vhostvdpa' device='disk'/>"), OBSTACLE_DEVICE},
    /* devices to which the balloon is no harm */
    {DEVICES("<hostdev mode='subsystem' type='usb'/>"), OBSTACLE_NONE},
    {DEVICES("<hostdev mode='subsystem' type='scsi_host' protocol='vhost'/>"), OBSTACLE_NONE},
    {DEVICES("<hostdev mode='subsystem' type='mdev' model='vfio-ccw'/>"), OBSTACLE_NONE},
    {DEVICES("<hostdev mode='subsystem' type='mdev' model='vfio-ap'/>"), OBSTACLE_NONE},
    {DEVICES("<interface type='vhostuser'/><interface type='bridge'/>"), OBSTACLE_NONE},
    {DEVICES("<disk type='network'/><filesystem type='mount'><driver type='virtiofs'/>"
             "</filesystem>"),
     OBSTACLE_NONE},
    {DEVICES("<x><hostdev type='pci'/></x><hostdev xmlns='urn:x' type='pci'/>"), OBSTACLE_NONE},
    {BESIDE("<hostdev type='pci'/>"), OBSTACLE_NONE},
    /* where the memory is */
    {BESIDE("<memoryBacking><hugepages/></memoryBacking>"), OBSTACLE_HUGE_PAGES},
    {BESIDE("<memoryBacking><hugepages><page size='1048576' unit='KiB'/></hugepages>"
            "</memoryBacking>"),
     OBSTACLE_HUGE_PAGES},
    {BESIDE("<memoryBacking><nosharepages/><locked/></memoryBacking>"), OBSTACLE_LOCKED},
    {BESIDE("<launchSecurity type='sev'><policy>0x0001</policy></launchSecurity>"),
     OBSTACLE_ENCRYPTED},
    {BESIDE("<launchSecurity type='s390-pv'/>"), OBSTACLE_ENCRYPTED},
    {BESIDE("<memoryBacking><source type='memfd'/><access mode='shared'/>"
            "<allocation mode='immediate'/><discard/><nosharepages/></memoryBacking>"),
     OBSTACLE_NONE},
    {BESIDE("<hugepages/><locked/><memoryBacking xmlns='urn:x'><locked/></memoryBacking>"),
     OBSTACLE_NONE},
    /* of several the one that matters most for what it counts for */
    {"<domain><memoryBacking><hugepages/><locked/></memoryBacking><devices>"
     "<hostdev type='pci'/><memballoon model='none'/></devices></domain>",
     OBSTACLE_HUGE_PAGES},
    {"<domain><memoryBacking><locked/></memoryBacking><devices><hostdev type='pci'/>"
     "<memballoon model='none'/></devices></domain>",
     OBSTACLE_NO_BALLOON},
    {"<domain><memoryBacking><locked/></memoryBacking><launchSecurity type='sev'/><devices>"
     "<hostdev type='pci'/><memory model='virtio-mem'/>" WITH_BALLOON "</devices></domain>",
     OBSTACLE_VIRTIO_MEM},
    {"<domain><memoryBacking><locked/></memoryBacking><launchSecurity type='sev'/><devices>"
     "<hostdev type='pci'/>" WITH_BALLOON "</devices></domain>",
     OBSTACLE_DEVICE},
};

START_TEST(knows_what_keeps_a_domain_from_ballooning)
{
    char error[SETTINGS_ERROR_BYTES];
    struct domain domain = other_domain();
    domain.obstacle = OBSTACLE_LOCKED;
    ck_assert_int_eq(domain_xml_read(obstacles[_i].xml, &domain, error), 0);
    ck_assert_msg(domain.obstacle == obstacles[_i].want, "%s: %d", obstacles[_i].xml,
                  (int)domain.obstacle);
    ck_assert_int_eq(domain.has_balloon, obstacles[_i].want == OBSTACLE_NONE);
}
END_TEST

/* ---- what is refused ---- */

static const char *const refused[] = {
    /* no XML */
    "",
    " ",
    "domain",
    "<domain>",
    "<domain><memory>7</memory></domai",
    "<domain><memory>7</memory></domain><domain/>",
    "<domain><name>\xff\xfe</name></domain>",
    "<domain><name>\xc3</name></domain>",
    "<domain><name>\x01</name></domain>",
    "<domain a='1' a='2'/>",
    "<domain>&undeclared;</domain>",
    "<?xml version='1.0' encoding='no-such'?><domain/>",
    /* no domain */
    "<network><memory>7</memory></network>",
    "<domain xmlns='urn:x'><memory>7</memory></domain>",
    /* no number of KiB */
    "<domain><memory/></domain>",
    "<domain><memory></memory></domain>",
    "<domain><memory>NaN</memory></domain>",
    "<domain><memory>inf</memory></domain>",
    "<domain><memory>-1</memory></domain>",
    "<domain><memory>+1</memory></domain>",
    "<domain><memory> 1</memory></domain>",
    "<domain><memory>1 </memory></domain>",
    "<domain><memory>1.5</memory></domain>",
    "<domain><memory>1e6</memory></domain>",
    "<domain><memory>0x10</memory></domain>",
    "<domain><memory>18446744073709551616</memory></domain>",
    "<domain><memory>99999999999999999999999999999999999999</memory></domain>",
    "<domain><memory>1<!-- -->2</memory></domain>",
    "<domain><memory><b>1</b></memory></domain>",
    "<domain><memory unit='MiB'>2048</memory></domain>",
    "<domain><memory unit='kib'>2048</memory></domain>",
    "<domain><memory unit=''>2048</memory></domain>",
    /* no period */
    "<domain><devices><memballoon><stats period=''/></memballoon></devices></domain>",
    "<domain><devices><memballoon><stats period='-1'/></memballoon></devices></domain>",
    "<domain><devices><memballoon><stats period='2147483648'/></memballoon></devices></domain>",
    "<domain><devices><memballoon><stats period='NaN'/></memballoon></devices></domain>",
    /* declared entities: one, one that grows, one from a file */
    "<!DOCTYPE domain [<!ENTITY a '7'>]><domain><memory>&a;</memory></domain>",
    "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
    "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'>"
    "<!ENTITY g '&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'><!ENTITY h '&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;'>"
    "]><domain a='&h;'><memory>&h;</memory></domain>",
    "<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>",
    "<!DOCTYPE domain><domain><memory>7</memory></domain>",
};

START_TEST(refuses_what_is_no_configuration)
{
    char error[SETTINGS_ERROR_BYTES] = "of old";
    struct domain domain = other_domain();
    struct domain before = domain;
    ck_assert_int_eq(domain_xml_read(refused[_i], &domain, error), -EINVAL);
    ck_assert_mem_eq(&domain, &before, sizeof(domain));
    ck_assert_str_eq(error, "of old");
}
END_TEST

/* As deep as libxml2 goes, and deeper than any stack. */
START_TEST(deep_nesting_is_read_or_refused)
{
    static const size_t depths[] = {100, 1000, 1000000};
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        size_t depth = depths[i];
        char *xml = calloc(depth + 1, sizeof("<a></a>") + sizeof("<domain></domain>"));
        ck_assert_ptr_nonnull(xml);
        char *end = stpcpy(xml, "<domain>");
        for (size_t j = 0; j < depth; j++)
            end = stpcpy(end, "<a>");
        for (size_t j = 0; j < depth; j++)
            end = stpcpy(end, "</a>");
        stpcpy(end, "</domain>");
        char error[SETTINGS_ERROR_BYTES];
        struct domain domain = other_domain();
        ck_assert_int_eq(domain_xml_read(xml, &domain, error), depth <= 100 ? 0 : -EINVAL);
        free(xml);
    }
}
END_TEST

/* ---- metadata ---- */

static const struct {
    const char *metadata;
    const char *error; /* "" where it is taken */
    uint64_t min_kib;  /* 0: not set */
} elements[] = {
    {"<m:settings " OURS " min='300MiB'/>", "", 300 * MIB},
    {"<settings xmlns='" DOMAIN_XML_SETTINGS_NAMESPACE "' min='300'/>", "", 300 * MIB},
    {"<x:a xmlns:x='urn:x'/> text <m:settings " OURS " min='300'/><!-- -->", "", 300 * MIB},
    {"<m:settings " OURS " min='&#51;00'/>", "", 300 * MIB},
    {"<m:settings " OURS " x:min='7' xmlns:x='urn:x' min='300'> <!-- of the night --> "
     "</m:settings>",
     "", 300 * MIB},
    {"<m:settings " OURS "/>", "", 0},
    {"<x:settings xmlns:x='urn:x' min='300'/>", "", 0},
    {"<settings min='300'/>", "", 0},
    {"<x:a xmlns:x='urn:x'><m:settings " OURS " min='300'/></x:a>", "", 0},
    {"<m:settings " OURS " min='300'/><m:settings " OURS " min='400'/>",
     "more than one element of " DOMAIN_XML_SETTINGS_NAMESPACE ", expected one", 0},
    {"<m:settings " OURS " min='300'/><m:other " OURS "/>",
     "more than one element of " DOMAIN_XML_SETTINGS_NAMESPACE ", expected one", 0},
    {"<m:other " OURS "/>", "element 'other', expected 'settings'", 0},
    {"<m:settings " OURS ">7</m:settings>",
     "something within the element 'settings', expected attributes only", 0},
    {"<m:settings " OURS "><min>300</min></m:settings>",
     "something within the element 'settings', expected attributes only", 0},
    {"<m:settings " OURS " min='1&lt;2'/>",
     "min '1<2': expected a number and KiB, MiB, GiB, K, M or G, from 1MiB to 1048576GiB", 0},
    {"<m:settings " OURS " min='\xc3\xa4'/>",
     "min '?"
     "?': expected a number and KiB, MiB, GiB, K, M or G, from 1MiB to 1048576GiB",
     0},
    {"<m:settings " OURS " min='' max='300'/>",
     "min '': expected a number and KiB, MiB, GiB, K, M or G, from 1MiB to 1048576GiB", 0},
    {"<m:settings " OURS " min='300' shares='18446744073709551617'/>",
     "shares '18446744073709551617': out of range, expected a whole number from 1 to 1000000", 0},
    {"<m:settings " OURS " min='300' max='200'/>",
     "min 300MiB is above max 200MiB, expected at most that", 0},
};

START_TEST(takes_settings_whole_or_keeps_those_there_were)
{
    char xml[1024];
    char error[SETTINGS_ERROR_BYTES];
    struct domain domain = other_domain();
    snprintf(xml, sizeof(xml), "<domain><memory>7</memory><metadata>%s</metadata></domain>",
             elements[_i].metadata);
    struct settings want = {.min_kib = {elements[_i].min_kib != 0, elements[_i].min_kib}};
    if (*elements[_i].error != '\0')
        want = domain.settings;
    ck_assert_int_eq(domain_xml_read(xml, &domain, error), 0);
    ck_assert_uint_eq(domain.max_kib, 7); /* all else is read */
    ck_assert_str_eq(error, elements[_i].error);
    ck_assert(settings_equal(&domain.settings, &want));
}
END_TEST

/* What a command changes in an element, and what comes of it; "" for none. */
static const struct {
    const char *element; /* NULL: there is none */
    struct domain_xml_change changes[2];
    size_t count;
    const char *result;
    const char *error; /* in place of a result */
} edits[] = {
    {NULL, {{"min", "300"}}, 1, "<settings min=\"300\"/>", ""},
    {NULL, {{"min", "300"}, {"shares", "5"}}, 2, "<settings min=\"300\" shares=\"5\"/>", ""},
    {"<settings min='300'/>", {{"min", "1GiB"}}, 1, "<settings min=\"1GiB\"/>", ""},
    {"<settings min='300' max='400'/>", {{"min", ""}}, 1, "<settings max=\"400\"/>", ""},
    {"<settings min='300'/>", {{"min", ""}}, 1, "", ""},
    {"<settings min='300'/>", {{"max", ""}}, 1, "<settings min=\"300\"/>", ""},
    {"<settings min='wrong'/>", {{"min", ""}}, 1, "", ""}, /* the way to put it right */
    {"<settings max='400'/>", {{"min", "500"}}, 1, NULL, "min"},
    {"<settings/>", {{"min", "5X"}}, 1, NULL, "min '5X'"},
    {"<settings/>", {{"size", "5"}}, 1, NULL, "size"},
    {"<settings/>", {{"size", ""}}, 1, NULL, "size"},
    {"<settings>text</settings>", {{"min", "300"}}, 1, NULL, "attributes only"},
    {"<settings", {{"min", "300"}}, 1, NULL, "cannot be parsed"},
    {"<other/>", {{"min", "300"}}, 1, NULL, "'other'"},
};

START_TEST(changes_settings_or_says_why_not)
{
    char error[SETTINGS_ERROR_BYTES] = "";
    char *element = (char *)error;
    int result = domain_xml_change_settings(edits[_i].element, edits[_i].changes, edits[_i].count,
                                            &element, error);
    if (edits[_i].result == NULL) {
        ck_assert_int_eq(result, -EINVAL);
        ck_assert_msg(strstr(error, edits[_i].error) != NULL, "%s", error);
        ck_assert_ptr_eq(element, error); /* untouched */
        return;
    }
    ck_assert_msg(result == 0, "%s", error);
    ck_assert_str_eq(element != NULL ? element : "", edits[_i].result);
    free(element);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("domain_xml");
    TCase *cases = tcase_create("domain_xml");
    tcase_add_loop_test(cases, reads_the_balloon_and_its_bounds, 0, COUNT_OF(readable));
    tcase_add_loop_test(cases, knows_what_keeps_a_domain_from_ballooning, 0, COUNT_OF(obstacles));
    tcase_add_loop_test(cases, refuses_what_is_no_configuration, 0, COUNT_OF(refused));
    tcase_add_test(cases, deep_nesting_is_read_or_refused);
    tcase_add_loop_test(cases, takes_settings_whole_or_keeps_those_there_were, 0,
                        COUNT_OF(elements));
    tcase_add_loop_test(cases, changes_settings_or_says_why_not, 0, COUNT_OF(edits));
    suite_add_tcase(suite, cases);
    return suite;
}
