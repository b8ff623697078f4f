/*
 * Files over the runtime, with every reactor: through it where it takes files, through the blocking pool elsewhere.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "stress/net_fixture.h"
#include "stress/support.h"

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

/* A directory of the test's own with one name in it. */
struct place {
    char directory[32], path[64];
};

static void place_make(struct place *place) {
    snprintf(place->directory, sizeof place->directory, "/tmp/suite_net_XXXXXX");
    CHECK(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/file", place->directory);
}

static void place_remove(const struct place *place) {
    unlink(place->path);
    CHECK_EQ(rmdir(place->directory), 0);
}

static int open_at(struct sy_runtime *runtime, const char *path, int flags, struct sy_file *file) {
    struct sy_file_open open;
    sy_file_open_init(&open, runtime, path, flags, 0640);
    run(runtime, &sy_file_open_type, &open);
    *file = open.file;
    return open.result;
}

static int64_t read_at(struct sy_file *file, void *buffer, size_t length, int64_t offset) {
    struct sy_file_read_at read;
    sy_file_read_at_init(&read, file, buffer, length, offset);
    run(file->runtime, &sy_file_read_at_type, &read);
    return read.result;
}

static int64_t write_at(struct sy_file *file, const void *data, size_t length, int64_t offset) {
    struct sy_file_write_at write;
    sy_file_write_at_init(&write, file, data, length, offset);
    run(file->runtime, &sy_file_write_at_type, &write);
    return write.result;
}

static void files_are_written_and_read_at_offsets(size_t variant) {
    static const int64_t far = INT64_C(5) << 30; /* a hole before it, and more than 32 bits */
    struct sy_runtime *runtime = start(variant);
    struct place place;
    struct sy_file file;
    struct stat stat;
    char bytes[16];
    place_make(&place);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT | O_EXCL, &file), 0);
    CHECK(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(fstat(file.fd, &stat), 0);
    CHECK_EQ(stat.st_mode & 0777, 0640);
    CHECK_EQ(write_at(&file, "abcdefgh", 8, 10), 8);
    CHECK_EQ(write_at(&file, "far", 3, far), 3);
    CHECK_EQ(read_at(&file, bytes, 10, 8), 10);
    CHECK(memcmp(bytes, "\0\0abcdefgh", 10) == 0);
    CHECK_EQ(read_at(&file, bytes, sizeof bytes, far + 1), 2); /* short at the end */
    CHECK(memcmp(bytes, "ar", 2) == 0);
    CHECK_EQ(read_at(&file, bytes, sizeof bytes, far + 3), 0); /* and behind it */
    CHECK_EQ(write_at(&file, "", 0, 0), 0);
    CHECK_EQ(lseek(file.fd, 0, SEEK_CUR), 0); /* the file's own position is nobody's business */
    int fd = file.fd;
    CHECK_EQ(sy_file_close(&file), 0);
    CHECK_EQ(file.fd, -1);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    CHECK_EQ(sy_file_close(&file), 0); /* harmless */
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

static void files_are_read_and_written_in_pieces(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct place place;
    struct sy_file file;
    struct sy_file_write_at write;
    struct sy_file_read_at read;
    struct sy_join join;
    struct sy_outcome outcome;
    char a[2], b[16];
    const struct iovec out[] = {{"abc", 3}, {NULL, 0}, {"defgh", 5}}, in[] = {{a, 2}, {b, sizeof b}};
    place_make(&place);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT, &file), 0);
    sy_file_write_at_init_vectors(&write, &file, out, 3, 5);
    CHECK_EQ(sy_spawn(runtime, &sy_file_write_at_type, &write, &join), 0);
    memset(&write, 0xff, sizeof write); /* it moved between init and poll */
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK_EQ(((const struct sy_file_write_at *)outcome.future)->result, 8);
    sy_join_drop(&join);
    sy_file_read_at_init_vectors(&read, &file, in, 2, 6);
    run(runtime, &sy_file_read_at_type, &read);
    CHECK_EQ(read.result, 7);
    CHECK(memcmp(a, "bc", 2) == 0 && memcmp(b, "defgh", 5) == 0);
    CHECK_EQ(sy_file_close(&file), 0);
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

static void wrong_arguments_are_refused(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct place place;
    struct sy_file file, reader;
    static char byte;
    static struct iovec many[IOV_MAX + 1];
    const struct iovec empty[] = {{&byte, 0}, {NULL, 0}};
    struct sy_file_read_at read;
    for (size_t i = 0; i < IOV_MAX + 1; i++) {
        many[i] = (struct iovec){&byte, 1};
    }
    place_make(&place);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR, &file), -ENOENT);
    CHECK_EQ(file.fd, -1);
    CHECK_EQ(open_at(runtime, place.path, O_WRONLY | O_CREAT, &file), 0);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT | O_EXCL, &reader), -EEXIST);
    CHECK_EQ(open_at(runtime, place.path, O_RDONLY, &reader), 0);
    CHECK_EQ(write_at(&file, "x", 1, 0), 1);
    CHECK_EQ(write_at(&file, "y", 1, -1), -EINVAL); /* some would take it for "where the file stands" */
    CHECK_EQ(read_at(&reader, &byte, 1, -1), -EINVAL);
    CHECK_EQ(read_at(&reader, &byte, 1, INT64_MIN), -EINVAL);
    CHECK_EQ(read_at(&reader, &byte, 0, 0), -EINVAL); /* 0 would mean the end */
    CHECK_EQ(read_at(&file, &byte, 1, 0), -EBADF);    /* not open for this */
    CHECK_EQ(write_at(&reader, "x", 1, 0), -EBADF);
    sy_file_read_at_init_vectors(&read, &reader, empty, 2, 0);
    run(runtime, &sy_file_read_at_type, &read);
    CHECK_EQ(read.result, -EINVAL);
    sy_file_read_at_init_vectors(&read, &reader, many, IOV_MAX + 1, 0);
    run(runtime, &sy_file_read_at_type, &read);
    CHECK_EQ(read.result, -EINVAL);
    sy_file_read_at_init_vectors(&read, &reader, many, IOV_MAX, 0);
    run(runtime, &sy_file_read_at_type, &read);
    CHECK_EQ(read.result, 1);
    CHECK_EQ(sy_file_close(&reader), 0);
    CHECK_EQ(read_at(&reader, &byte, 1, 0), -EBADF);
    CHECK_EQ(sy_file_close(&file), 0);
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

/* ---- many at once ---- */

enum { BLOCKS = 64, BLOCK = 4096 };

/* All blocks of one file, each by a task of its own, at once. */
static void one_file_takes_many_at_once(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct place place;
    struct sy_file file;
    struct sy_join joins[BLOCKS];
    struct sy_outcome outcome;
    static unsigned char data[BLOCKS * BLOCK], got[BLOCKS * BLOCK];
    place_make(&place);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT, &file), 0);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = stream_byte(i);
    }
    memset(got, 0, sizeof got);
    for (int reading = 0; reading < 2; reading++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            struct sy_file_write_at write;
            struct sy_file_read_at read;
            sy_file_write_at_init(&write, &file, data + i * BLOCK, BLOCK, (int64_t)(i * BLOCK));
            sy_file_read_at_init(&read, &file, got + i * BLOCK, BLOCK, (int64_t)(i * BLOCK));
            CHECK_EQ(reading ? sy_spawn(runtime, &sy_file_read_at_type, &read, &joins[i])
                             : sy_spawn(runtime, &sy_file_write_at_type, &write, &joins[i]),
                     0);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            CHECK_EQ(reading ? ((const struct sy_file_read_at *)outcome.future)->result
                             : ((const struct sy_file_write_at *)outcome.future)->result,
                     BLOCK);
            sy_join_drop(&joins[i]);
        }
    }
    CHECK_EQ(memcmp(data, got, sizeof data), 0);
    CHECK_EQ(au32_load_relaxed(&runtime->driver.sources), 0); /* nothing stayed registered */
    CHECK_EQ(sy_file_close(&file), 0);
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

/* ---- drops ---- */

/* Drops reads at random moments. From then on the buffer is ours: nobody may write there any more. */
static void a_dropped_read_leaves_the_buffer_alone(size_t variant) {
    enum { LENGTH = 1 << 20 };
    struct sy_runtime *runtime = start(variant);
    struct place place;
    struct sy_file file;
    struct hand hand;
    uint64_t random = check_seed();
    unsigned char *buffer = malloc(LENGTH), *ours = malloc(LENGTH);
    CHECK(buffer && ours);
    place_make(&place);
    hand_init(&hand, runtime);
    memset(buffer, 'f', LENGTH);
    memset(ours, 'o', LENGTH);
    CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT, &file), 0);
    CHECK_EQ(write_at(&file, buffer, LENGTH, 0), LENGTH);
    for (unsigned round = 0; round < support_rounds(100); round++) {
        struct sy_file_read_at read;
        memcpy(buffer, ours, LENGTH);
        sy_file_read_at_init(&read, &file, buffer, LENGTH, 0);
        enum sy_poll poll = hand_poll(&hand, &sy_file_read_at_type, &read);
        for (uint64_t spin = check_random(&random) % 100000; spin > 0; spin--) {
            __asm__ volatile("" ::: "memory");
        }
        sy_file_read_at_drop(&read);
        CHECK(read.result == LENGTH || (poll == SY_PENDING && read.result == -ECANCELED));
        if (read.result == LENGTH) {
            CHECK(buffer[0] == 'f' && buffer[LENGTH - 1] == 'f');
            memcpy(buffer, ours, LENGTH);
        }
        sy_file_read_at_drop(&read); /* harmless */
        CHECK_EQ(memcmp(buffer, ours, LENGTH), 0);
    }
    struct sy_file_read_at last; /* ends behind all of them */
    char byte;
    sy_file_read_at_init(&last, &file, &byte, 1, 0);
    sy_file_read_at_drop(&last); /* never polled */
    CHECK_EQ(last.result, -ECANCELED);
    CHECK_EQ(read_at(&file, &byte, 1, 0), 1);
    CHECK_EQ(memcmp(buffer, ours, LENGTH), 0);
    CHECK_EQ(au32_load_relaxed(&runtime->driver.sources), 0);
    free(buffer);
    free(ours);
    CHECK_EQ(sy_file_close(&file), 0);
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

/* Holds the pool's only thread. */
struct blocker {
    struct au32 *begun, *end;
};

static enum sy_poll blocker_poll(void *future, struct sy_context *cx) {
    struct blocker *f = future;
    (void)cx;
    au32_store_release(f->begun, 1);
    while (!au32_load_acquire(f->end)) {
        sched_yield();
    }
    return SY_READY;
}

static const struct sy_future_type blocker_type = {"blocker", sizeof(struct blocker), blocker_poll, NULL};

/* What waits in the pool's queue does not hold a drop up, and is not done later. */
static void what_has_not_begun_is_never_done(size_t variant) {
    struct sy_config config;
    struct sy_runtime *runtime;
    struct place place;
    struct hand hand;
    struct au32 begun = {0}, end = {0};
    struct blocker blocker = {&begun, &end};
    struct sy_join join;
    struct sy_outcome outcome;
    configure(&config, variant, 2);
    config.blocking_threads = 1;
    CHECK_EQ(sy_runtime_create(&runtime, &config), 0);
    place_make(&place);
    hand_init(&hand, runtime);
    struct sy_file file = {.runtime = runtime, .fd = open(place.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    CHECK_EQ(unlink(place.path), 0);
    unsigned descriptors = count_descriptors();
    CHECK_EQ(sy_spawn_blocking(runtime, &blocker_type, &blocker, &join), 0);
    while (!au32_load_acquire(&begun)) {
        sched_yield();
    }
    struct sy_file_open open_it;
    sy_file_open_init(&open_it, runtime, place.path, O_RDWR | O_CREAT, 0600);
    CHECK_EQ(hand_poll(&hand, &sy_file_open_type, &open_it), SY_PENDING);
    sy_file_open_drop(&open_it);
    CHECK_EQ(open_it.result, -ECANCELED);
    if (!reactor_of(variant)->files) {
        struct sy_file_write_at write;
        sy_file_write_at_init(&write, &file, "x", 1, 0);
        CHECK_EQ(hand_poll(&hand, &sy_file_write_at_type, &write), SY_PENDING);
        sy_file_write_at_drop(&write);
        CHECK_EQ(write.result, -ECANCELED);
    }
    au32_store_release(&end, 1);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    sy_join_drop(&join);
    struct sy_file behind;
    char byte;
    CHECK_EQ(open_at(runtime, "/dev/null", O_RDONLY, &behind), 0); /* the pool has had the two in its hands now */
    CHECK_EQ(sy_file_close(&behind), 0);
    CHECK_EQ(read_at(&file, &byte, 1, 0), 0); /* nothing was written */
    CHECK_EQ(access(place.path, F_OK), -1);
    CHECK_EQ(count_descriptors(), descriptors);
    CHECK_EQ(sy_file_close(&file), 0);
    place_remove(&place);
    sy_runtime_destroy(runtime);
}

/* Opens that are dropped at random moments: each descriptor is the caller's or closed. */
static void a_dropped_open_leaks_nothing(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    uint64_t random = check_seed();
    unsigned descriptors = count_descriptors();
    hand_init(&hand, runtime);
    for (unsigned round = 0; round < 200; round++) {
        struct sy_file_open open_it;
        sy_file_open_init(&open_it, runtime, "/dev/null", O_RDONLY, 0);
        bool pending = hand_poll(&hand, &sy_file_open_type, &open_it) == SY_PENDING;
        if (pending && round % 2) {
            hand_finish(&hand, &sy_file_open_type, &open_it);
        }
        for (uint64_t spin = check_random(&random) % 10000; spin > 0; spin--) {
            __asm__ volatile("" ::: "memory");
        }
        while (pending && round % 4 == 2 && !sy_join_is_finished(&open_it.job)) {
            sched_yield(); /* it was opened, and nobody knows yet */
        }
        sy_file_open_drop(&open_it);
        if (round % 2) {
            CHECK_EQ(open_it.result, 0);
        }
        sy_file_close(&open_it.file);
    }
    await_descriptors(descriptors);
    sy_runtime_destroy(runtime);
}

/* ---- without a pool, and at the end ---- */

static void without_a_pool_it_is_told(size_t variant) {
    struct sy_config config;
    struct sy_runtime *runtime;
    struct sy_file none;
    configure(&config, variant, 1);
    config.blocking_threads = 0;
    CHECK_EQ(sy_runtime_create(&runtime, &config), 0);
    CHECK_EQ(open_at(runtime, "/dev/null", O_RDONLY, &none), -EAGAIN);
    FILE *plain = tmpfile();
    CHECK(plain);
    struct sy_file file = {.runtime = runtime, .fd = fileno(plain)};
    CHECK_EQ(write_at(&file, "x", 1, 0), reactor_of(variant)->files ? 1 : -EAGAIN);
    fclose(plain);
    sy_runtime_destroy(runtime);
}

/* Writes the file again and again, until it is dropped. */
struct writer {
    struct sy_file *file;
    struct sy_async async;
    struct sy_file_write_at write;
    struct au32 *begun;
    unsigned char block[BLOCK];
};

static enum sy_poll writer_poll(void *future, struct sy_context *cx) {
    struct writer *f = future;
    sy_async_begin(&f->async);
    for (;;) {
        sy_file_write_at_init(&f->write, f->file, f->block, sizeof f->block, 0);
        sy_await(&f->async, sy_file_write_at_poll(&f->write, cx));
        CHECK(f->write.result == BLOCK || f->write.result == -ESHUTDOWN);
        if (f->write.result < 0) {
            break; /* the pool ends before the tasks are dropped */
        }
        au32_fetch_add_release(f->begun, 1);
    }
    sy_async_end(&f->async);
}

static void writer_drop(void *future) {
    struct writer *f = future;
    if (f->async.line > 0) {
        sy_file_write_at_drop(&f->write);
    }
}

static const struct sy_future_type writer_type = {"writer", sizeof(struct writer), writer_poll, writer_drop};

static void tasks_end_with_operations_in_flight(size_t variant) {
    enum { TASKS = 8 };
    for (int by_shutdown = 0; by_shutdown < 2; by_shutdown++) {
        struct sy_runtime *runtime = start(variant);
        struct place place;
        struct sy_file file;
        struct sy_join joins[TASKS];
        struct sy_outcome outcome;
        struct au32 begun = {0};
        place_make(&place);
        CHECK_EQ(open_at(runtime, place.path, O_RDWR | O_CREAT, &file), 0);
        for (int i = 0; i < TASKS; i++) {
            struct writer writer = {.file = &file, .begun = &begun};
            CHECK_EQ(sy_spawn(runtime, &writer_type, &writer, &joins[i]), 0);
        }
        while (au32_load_acquire(&begun) < 2 * TASKS) {
            sched_yield();
        }
        if (by_shutdown) {
            CHECK_EQ(sy_runtime_shutdown(runtime), 0);
        }
        for (int i = 0; i < TASKS; i++) {
            sy_join_abort(&joins[i]);
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            CHECK(outcome.cancelled || by_shutdown);
            sy_join_drop(&joins[i]);
        }
        CHECK_EQ(sy_file_close(&file), 0);
        place_remove(&place);
        sy_runtime_destroy(runtime);
    }
}

static const struct check_test tests[] = {
    {"files_are_written_and_read_at_offsets", files_are_written_and_read_at_offsets},
    {"files_are_read_and_written_in_pieces", files_are_read_and_written_in_pieces},
    {"wrong_arguments_are_refused", wrong_arguments_are_refused},
    {"one_file_takes_many_at_once", one_file_takes_many_at_once},
    {"a_dropped_read_leaves_the_buffer_alone", a_dropped_read_leaves_the_buffer_alone},
    {"what_has_not_begun_is_never_done", what_has_not_begun_is_never_done},
    {"a_dropped_open_leaks_nothing", a_dropped_open_leaks_nothing},
    {"without_a_pool_it_is_told", without_a_pool_it_is_told},
    {"tasks_end_with_operations_in_flight", tasks_end_with_operations_in_flight},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_file", tests, sizeof tests / sizeof tests[0], argc, argv);
}
