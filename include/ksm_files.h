/* ksm_files.h - KSM as the kernel of this host shows it, and who else sets it. All of it is below
 * ROOT, "" for this host's own. */
#ifndef MC_KSM_FILES_H
#define MC_KSM_FILES_H

#include "ksm.h"

/* Reads all of it; what cannot be read, or is odd, is not known. Whatever the obstacle is, the
 * figures are there, if there are any. */
struct ksm_reading ksm_files_read(const char *root);

/* Sets how fast it works. Returns 0 or a negative errno. */
int ksm_files_set_pace(const char *root, const struct ksm_settings *settings);

/* Starts or stops it. Returns 0 or a negative errno. */
int ksm_files_set_run(const char *root, uint64_t run);

#endif
