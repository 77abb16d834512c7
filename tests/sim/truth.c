/* truth.c - what the plain data of a scenario and a run say. */
#include "arithmetic.h"
#include "sim.h"

uint64_t sim_unused_kib(const struct sim_guest *guest)
{
    return subtract_to_zero(guest->size_kib, guest->used_kib + guest->cache_kib);
}

uint64_t sim_usable_kib(const struct sim_guest *guest)
{
    return subtract_to_zero(guest->size_kib, guest->used_kib);
}

uint64_t sim_available_kib(const struct sim_world *world)
{
    uint64_t held = world->others_kib;
    for (size_t i = 0; i < world->guest_count; i++)
        if (world->guests[i].is_here)
            held += world->guests[i].touched_kib + world->scenario->overhead_kib;
    return subtract_to_zero(world->total_kib, held);
}

/* How many of the points are at AT_USEC or before. */
static size_t points_until(const struct sim_series *series, uint64_t at_usec)
{
    size_t low = 0;
    size_t high = series->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->points[middle].at_usec <= at_usec)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t sim_series_at(const struct sim_series *series, uint64_t at_usec)
{
    if (series->count == 0)
        return 0;
    size_t after = points_until(series, at_usec);
    if (after == 0)
        return series->points[0].kib;
    if (after == series->count)
        return series->points[after - 1].kib;
    const struct sim_point *from = &series->points[after - 1];
    const struct sim_point *to = &series->points[after];
    double part = (double)(at_usec - from->at_usec) / (double)(to->at_usec - from->at_usec);
    double kib = (double)from->kib + part * ((double)to->kib - (double)from->kib);
    return (uint64_t)kib;
}

uint64_t sim_series_least(const struct sim_series *series)
{
    uint64_t least = series->count > 0 ? series->points[0].kib : 0;
    for (size_t i = 0; i < series->count; i++)
        if (series->points[i].kib < least)
            least = series->points[i].kib;
    return least;
}

uint64_t sim_series_most(const struct sim_series *series)
{
    uint64_t most = 0;
    for (size_t i = 0; i < series->count; i++)
        if (series->points[i].kib > most)
            most = series->points[i].kib;
    return most;
}

bool sim_spells_hold(const struct sim_spells *spells, uint64_t at_usec)
{
    for (size_t i = 0; i < spells->count; i++)
        if (spells->spells[i].from_usec <= at_usec && at_usec < spells->spells[i].until_usec)
            return true;
    return false;
}
