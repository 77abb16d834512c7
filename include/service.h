/* service.h - what a service manager is told (systemd, by sd_notify); nothing where there is none.
 */
#ifndef MC_SERVICE_H
#define MC_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum { SERVICE_STATUS_BYTES = 128 };

/* What the manager wants to hear, and what it was told. Plain data. */
struct service {
    bool is_listening;
    uint64_t pause_usec; /* signs of life may be no further apart; UINT64_MAX: it waits for none */
    char status[SERVICE_STATUS_BYTES];
};

/* Asks the environment (NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID) for the manager. */
struct service service_open(void);

/* Started, or done with reading the settings again. */
void service_ready(const struct service *service);

/* About to read the settings again. */
void service_reloading(const struct service *service);

/* About to end. */
void service_stopping(const struct service *service);

/* A sign of life. To be given only where work has gone on: it is what a hang is known by. */
void service_alive(const struct service *service);

/* What it does, in a few words; told where it differs from the last. */
void service_status(struct service *service, const char *text);

#endif
