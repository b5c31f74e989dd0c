/* Times system calls on names, without an interpreter between them: a slow loop flatters ratios.
 *
 *   metadata chain DIRECTORY N       create, stat, open-read, rename, unlink, mkdir: ns per call
 *   metadata trips FILE N            one stat, one direct read of 4 KiB: median ns of one
 *   metadata tree DIRECTORY M N      makes M directories of N empty files, times nothing
 *   metadata answered DIRECTORY      says "watching", then when another filesystem answers there
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BATCH = 8, POLL_NS = 100000 };

static char block[BLOCK] __attribute__((aligned(BLOCK)));

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

/* A call that fails would be timed as a fast one. */
static long must(long result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
    return result;
}

static const char *name(const char *kind, long number)
{
    static char text[2][64];
    static int turn;
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "%s%06ld.dat", kind, number);
    return text[turn];
}

static void create(long number)
{
    int fd = must(open(name("f", number), O_CREAT | O_EXCL | O_WRONLY, 0644), "create");
    must(close(fd), "close");
}

static void fill(long number)
{
    int fd = must(open(name("f", number), O_WRONLY), "open");
    must(write(fd, block, BLOCK), "write");
    must(close(fd), "close");
}

static void stat_one(long number)
{
    struct stat found;
    must(stat(name("f", number), &found), "stat");
}

static void open_read(long number)
{
    int fd = must(open(name("f", number), O_RDONLY), "open");
    must(read(fd, block, BLOCK), "read");
    must(close(fd), "close");
}

static void move(long number)
{
    must(rename(name("f", number), name("g", number)), "rename");
}

static void unlink_one(long number)
{
    must(unlink(name("g", number)), "unlink");
}

static void make_directory(long number)
{
    must(mkdir(name("d", number), 0755), "mkdir");
}

static void remove_directory(long number)
{
    must(rmdir(name("d", number)), "rmdir");
}

static double each(void (*call)(long), long count)
{
    double begin = now_ns();
    for (long number = 0; number < count; number++)
        call(number);
    return (now_ns() - begin) / count;
}

static void chain(const char *directory, long count)
{
    must(mkdir(directory, 0755), directory);
    must(chdir(directory), directory);
    printf("create %f\n", each(create, count));
    each(fill, count);
    printf("stat %f\n", each(stat_one, count));
    printf("open-read %f\n", each(open_read, count));
    printf("rename %f\n", each(move, count));
    printf("unlink %f\n", each(unlink_one, count));
    printf("mkdir %f\n", each(make_directory, count));
    each(remove_directory, count);
    must(chdir("/"), "/");
    must(rmdir(directory), directory);
}

static int order(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

/* The clock costs as much as a cheap call: it is asked once for a batch of them. */
static double median(void (*call)(const char *, int), const char *path, int fd, long count)
{
    long batches = count / BATCH + 1;
    double *samples = calloc(batches, sizeof *samples);
    for (long batch = 0; batch < batches; batch++) {
        double begin = now_ns();
        for (int turn = 0; turn < BATCH; turn++)
            call(path, fd);
        samples[batch] = (now_ns() - begin) / BATCH;
    }
    qsort(samples, batches, sizeof *samples, order);
    double middle = samples[batches / 2];
    free(samples);
    return middle;
}

static void trip_stat(const char *path, int fd)
{
    struct stat found;
    (void)fd;
    must(stat(path, &found), path);
}

static void trip_read(const char *path, int fd)
{
    must(pread(fd, block, BLOCK, 0), path);
}

static void trips(const char *path, long count)
{
    printf("trip-stat %f\n", median(trip_stat, path, -1, count));
    int fd = must(open(path, O_RDONLY | O_DIRECT), path);
    printf("trip-read %f\n", median(trip_read, path, fd, count));
}

static void tree(const char *directory, long folders, long files)
{
    must(mkdir(directory, 0755), directory);
    must(chdir(directory), directory);
    for (long folder = 0; folder < folders; folder++) {
        make_directory(folder);
        must(chdir(name("d", folder)), "chdir");
        each(create, files);
        must(chdir(".."), "chdir");
    }
}

static void answered(const char *directory)
{
    struct stat before, now;
    const struct timespec pause = {.tv_nsec = POLL_NS};
    must(stat(directory, &before), directory);
    puts("watching");
    fflush(stdout);
    do {
        nanosleep(&pause, NULL);
    } while (stat(directory, &now) != 0 || now.st_dev == before.st_dev);
    printf("%.9f\n", now_ns() / 1e9);
}

int main(int count, char **words)
{
    const char *verb = count > 2 ? words[1] : "";
    long number = count > 3 ? atol(words[3]) : 0;
    if (!strcmp(verb, "chain") && number > 0)
        chain(words[2], number);
    else if (!strcmp(verb, "trips") && number > 0)
        trips(words[2], number);
    else if (!strcmp(verb, "tree") && count > 4)
        tree(words[2], number, atol(words[4]));
    else if (!strcmp(verb, "answered"))
        answered(words[2]);
    else
        return 2;
    return 0;
}
