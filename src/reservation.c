/* reservation.c - what is set aside for guests that are to start, and what of it is there. */
#include "reservation.h"

#include "arithmetic.h"

#include <string.h>

bool reservation_holds(const struct reservation *reservation, uint64_t now_usec)
{
    return reservation->since_usec <= now_usec && now_usec < reservation->until_usec;
}

size_t reservations_find(const struct reservations *list, const char *name)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->items[i].name, name) != 0)
        i++;
    return i;
}

const struct reservation *reservations_find_same(const struct reservations *list,
                                                 const struct reservation *reservation)
{
    size_t i = reservations_find(list, reservation->name);
    if (i == list->count || list->items[i].since_usec != reservation->since_usec)
        return NULL;
    return &list->items[i];
}

static uint64_t left_kib(const struct reservation *reservation, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct domain *domain = &snapshot->domains[i];
        if (strcmp(domain->name, reservation->name) != 0)
            continue;
        if (domain->job != JOB_STARTS && domain->job != JOB_ARRIVES)
            return 0;
        return subtract_to_zero(reservation->size_kib, domain->current_kib);
    }
    return reservation->size_kib;
}

uint64_t reservations_left_kib(struct reservations *list, const struct snapshot *snapshot)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].left_kib = left_kib(&list->items[i], snapshot);
        sum = add_saturated(sum, list->items[i].left_kib);
    }
    return sum;
}

void reservations_hold(struct reservations *list, uint64_t free_kib)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].held_kib = min_u64(free_kib, list->items[i].left_kib);
        free_kib -= list->items[i].held_kib;
    }
}

bool reservations_start_waits(const struct reservations *list, uint64_t now_usec)
{
    for (size_t i = 0; i < list->count; i++)
        if (now_usec < list->items[i].start_waits_usec)
            return true;
    return false;
}

static bool is_to_start(const struct reservations *list, const char *name, uint64_t now_usec)
{
    size_t i = reservations_find(list, name);
    return i < list->count && now_usec < list->items[i].start_waits_usec;
}

void reservations_mark(const struct reservations *list, uint64_t now_usec,
                       struct snapshot *snapshot)
{
    snapshot->is_list_kept = reservations_start_waits(list, now_usec);
    for (size_t i = 0; i < snapshot->count; i++)
        snapshot->domains[i].is_to_start = is_to_start(list, snapshot->domains[i].name, now_usec);
}
