/* write_state.c - write_state DIRECTORY [SECONDS]: the sample host's state, as a coordinator would
 * leave it; with SECONDS it has its lock and writes it anew every 0.2 s for so long. */
#include "clock.h"
#include "record.h"
#include "sample.h"
#include "state_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_USEC = 200000, WRITES_PER_SEC = 5 };

/* The first guest grows, the second gives. */
static void move(struct sample *sample, uint64_t turn)
{
    uint64_t kib = (turn % 40) * 16 * 1024;
    struct policy_decision *growing = &sample->decisions[SAMPLE_GROWING];
    struct policy_decision *giving = &sample->decisions[SAMPLE_GIVING];
    sample->domains[SAMPLE_GROWING].actual_kib.value += kib;
    growing->from_kib += kib;
    growing->owed_kib += kib;
    growing->target_kib += kib;
    growing->used_kib += kib;
    growing->claimed_kib += kib;
    growing->needed_kib += kib;
    sample->domains[SAMPLE_GIVING].actual_kib.value -= kib / 2;
    sample->domains[SAMPLE_GIVING].unused_kib.value -= kib / 2;
    sample->domains[SAMPLE_GIVING].usable_kib.value -= kib / 2;
    giving->from_kib -= kib / 2;
    giving->owed_kib -= kib / 2;
    giving->unused_kib -= kib / 2;
    giving->target_kib -= kib / 2;
}

static int write_turn(const struct state_dir *dir, uint64_t turn)
{
    char name[STATE_DIR_NAME_BYTES];
    struct record_origin origin = {.pid = getpid(), .written_sec = time(NULL)};
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.wall_sec = origin.written_sec;
    sample.snapshot.now_usec = clock_monotonic_usec();
    for (size_t i = 0; i < SAMPLE_GUESTS; i++)
        if (sample.domains[i].last_update_sec.known)
            sample.domains[i].last_update_sec.value +=
                (uint64_t)(origin.written_sec - SAMPLE_WRITTEN_SEC);
    move(&sample, turn);
    state_dir_name(sample.view.uri, ".json", name);
    char *line = record_format(&sample.view, &origin, true);
    int result = line != NULL ? state_dir_write(dir, name, line, strlen(line)) : -1;
    free(line);
    return result;
}

int main(int argc, char *argv[])
{
    char error[STATE_DIR_ERROR_BYTES];
    struct state_dir dir = STATE_DIR_NONE;
    uint64_t turns = argc > 2 ? strtoull(argv[2], NULL, 10) * WRITES_PER_SEC : 1;
    if (argc < 2 || state_dir_claim(argv[1], "qemu:///system", &dir, error) != 0) {
        fprintf(stderr, "write_state: %s\n", argc < 2 ? "no DIRECTORY" : error);
        return EXIT_FAILURE;
    }
    int result = write_turn(&dir, 0);
    for (uint64_t turn = 1; result == 0 && turn < turns; turn++) {
        usleep(PAUSE_USEC);
        result = write_turn(&dir, turn);
    }
    state_dir_release(&dir);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
