/* A disk whose flush takes as long as we say: what is missing to it is slept after the true one.

   Preloaded (LD_PRELOAD); the least time of a flush in nanoseconds stands in BENCHMARK_FLUSH_NS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*flush)(int);

static long long now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec * 1000000000LL + moment.tv_nsec;
}

static int at_least(const char *name, int descriptor) {
    const char *told = getenv("BENCHMARK_FLUSH_NS");
    long long end = now() + (told ? atoll(told) : 0);
    int result = ((flush)dlsym(RTLD_NEXT, name))(descriptor);
    struct timespec until = {end / 1000000000LL, end % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)) {
    }
    return result;
}

int fsync(int descriptor) { return at_least("fsync", descriptor); }

int fdatasync(int descriptor) { return at_least("fdatasync", descriptor); }
