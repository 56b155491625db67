/* Makes every sync of a process take longer, to imitate slow storage such as an SD card.
 *
 * Loaded with LD_PRELOAD; STOREBOX_SYNC_DELAY_US says by how much, in microseconds. The thread sleeps, as it would
 * while a card is busy, and then syncs for real: durability is as it was. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static void wait_for_the_card(void) {
    static _Thread_local int is_precise;
    struct timespec left;
    const char *text = getenv("STOREBOX_SYNC_DELAY_US");
    long delay_us = text ? atol(text) : 0;
    int kept = errno;

    if (!is_precise) {
        /* By default the kernel may round a sleep up by 50 us, a quarter of the shortest delay asked for. */
        prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
        is_precise = 1;
    }
    left.tv_sec = delay_us / 1000000;
    left.tv_nsec = delay_us % 1000000 * 1000;
    while (delay_us > 0 && nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
    errno = kept;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_card();
    return real(fd);
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_the_card();
    return real(fd);
}
