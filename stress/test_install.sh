#!/usr/bin/env bash
# Installs the project and builds four users of it outside the tree: the README's example, one that sends a datagram and
# writes a file, one of the queues alone, and all queues, some of which need libraries. Shared and static, by
# find_package and by pkg-config.
# ctest-plain-only: yes
# ctest-slow: yes
# ctest-timeout: 600
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/user"
cd "$scratch/user"

# The README's example is the first C block there.
# shellcheck disable=SC2016 # backquotes, not an expansion
sed -n '/^```c$/,/^```$/{/^```/d;p};' "$STEALYARD_SOURCE/README.md" >runtime.c
grep -q sy_runtime_create runtime.c || { echo "FAIL: no example in README.md"; exit 1; }

cat >net.c <<'C'
#include <executor/executor.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Sends a datagram to itself; how many bytes came back. */
static int64_t by_udp(struct sy_runtime *runtime, const char *text, char *got, size_t size) {
    struct sy_socket socket;
    struct sy_address address;
    struct sy_send_to send;
    struct sy_recv_from receive;
    if (sy_address_parse("127.0.0.1:0", &address, NULL, 0) || sy_datagram_bind(&socket, runtime, &address, NULL) ||
        sy_socket_local_address(&socket, &address)) {
        return -1;
    }
    sy_send_to_init(&send, &socket, text, strlen(text), &address);
    sy_block_on(runtime, &sy_send_to_type, &send);
    sy_recv_from_init(&receive, &socket, got, size);
    sy_block_on(runtime, &sy_recv_from_type, &receive);
    sy_socket_close(&socket);
    return receive.truncated || receive.from.length != address.length ? -1 : receive.result;
}

/* Writes a file, and reads it. */
static int64_t by_file(struct sy_runtime *runtime, const char *path, const char *text, char *got, size_t size) {
    struct sy_file_open open;
    struct sy_file_write_at write;
    struct sy_file_read_at read;
    sy_file_open_init(&open, runtime, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    sy_block_on(runtime, &sy_file_open_type, &open);
    if (open.result) {
        return open.result;
    }
    sy_file_write_at_init(&write, &open.file, text, strlen(text), 100);
    sy_block_on(runtime, &sy_file_write_at_type, &write);
    sy_file_read_at_init(&read, &open.file, got, size, 100);
    sy_block_on(runtime, &sy_file_read_at_type, &read);
    sy_file_close(&open.file);
    return read.result;
}

int main(void) {
    struct sy_runtime *runtime;
    char datagram[16] = "", file[16] = "";
    if (sy_runtime_create(&runtime, NULL)) {
        return 1;
    }
    int64_t by_net = by_udp(runtime, "hello", datagram, sizeof datagram);
    int64_t by_disk = by_file(runtime, "net.out", "world!", file, sizeof file);
    sy_runtime_destroy(runtime);
    printf("%d %s, %d %s\n", (int)by_net, datagram, (int)by_disk, file);
    return 0;
}
C
cat >queue.c <<'C'
#include <queues/gq_mutex.h>
#include <stdio.h>

int main(void) {
    const struct gq_ops *ops = &gq_mutex_ops;
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    struct gq *queue;
    struct sy_node item, *out = NULL;
    size_t got = 0;
    if (ops->create(&queue, &config) || ops->push(queue, &item) != GQ_OK) {
        return 1;
    }
    enum gq_status status = ops->pop_batch(queue, &out, 1, &got);
    ops->destroy(queue);
    printf("%s\n", status == GQ_OK && got == 1 && out == &item ? "the same item" : "another item");
    return 0;
}
C
cat >queues.c <<'C'
#define _DEFAULT_SOURCE
#include <queues/gq_list.h>
#include <stdio.h>

static int works(const struct gq_ops *ops) {
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    struct gq *queue;
    struct sy_node item, *out = NULL;
    size_t got = 0;
    int error = ops->create(&queue, &config);
    if (error) {
        return error == -ENOTSUP;
    }
    error = ops->attach ? ops->attach(queue) : 0;
    int ok = !error && ops->push(queue, &item) == GQ_OK && ops->pop_batch(queue, &out, 1, &got) == GQ_OK && out == &item;
    if (ops->detach) {
        ops->detach(queue);
    }
    ops->destroy(queue);
    return ok;
}

int main(void) {
#define ENTRY(name) &name##_ops,
    static const struct gq_ops *const all[] = {GQ_LIST(ENTRY)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!works(all[i])) {
            printf("%s does not work\n", all[i]->name);
            return 1;
        }
    }
    puts("all work");
    return 0;
}
C
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
set(CMAKE_C_EXTENSIONS OFF)
find_package(stealyard 0.1 REQUIRED)
add_executable(runtime runtime.c)
target_link_libraries(runtime PRIVATE stealyard::stealyard)
add_executable(net net.c)
target_link_libraries(net PRIVATE stealyard::stealyard)
add_executable(queue queue.c)
target_link_libraries(queue PRIVATE stealyard::queues)
add_executable(queues queues.c)
target_link_libraries(queues PRIVATE stealyard::queues)
CMAKE

# check <what> <directory of the programs> <ON if shared>
check() {
    local runtime net queue queues linked=OFF
    ldd "$2/runtime" | grep -q libstealyard && linked=ON
    [[ $linked == "$3" ]] || { echo "FAIL: $1: linked to the shared library: $linked"; exit 1; }
    runtime=$("$2/runtime")
    net=$("$2/net")
    queue=$("$2/queue")
    queues=$("$2/queues") || true
    [[ $runtime == "4 polls" ]] || { echo "FAIL: $1: runtime printed \"$runtime\""; exit 1; }
    [[ $net == "5 hello, 6 world!" ]] || { echo "FAIL: $1: net printed \"$net\""; exit 1; }
    [[ $queue == "the same item" ]] || { echo "FAIL: $1: queue printed \"$queue\""; exit 1; }
    [[ $queues == "all work" ]] || { echo "FAIL: $1: queues printed \"$queues\""; exit 1; }
    echo "ok: $1"
}

for shared in OFF ON; do
    prefix=$scratch/prefix-$shared
    cmake -S "$STEALYARD_SOURCE" -B "$scratch/build-$shared" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE=-O0 \
        -DBUILD_SHARED_LIBS=$shared -DSTEALYARD_TESTS=OFF -DSTEALYARD_BENCH=OFF -DSTEALYARD_EXAMPLES=OFF >/dev/null
    ninja -C "$scratch/build-$shared" >/dev/null
    # Another prefix than the configured one: nothing installed may name a path of its own.
    cmake --install "$scratch/build-$shared" --prefix "$prefix" >/dev/null
    ! grep -rIl "$scratch/build\|$STEALYARD_SOURCE" "$prefix" || { echo "FAIL: installed files name the tree"; exit 1; }

    # Every installed header compiles alone, with nothing but what is installed.
    (cd "$prefix/include/stealyard" && find . -name '*.h') | while read -r header; do
        echo "#include <${header#./}>" | cc -std=gnu11 -Wall -Wextra -Werror -I "$prefix/include/stealyard" -x c \
            -fsyntax-only - || { echo "FAIL: ${header#./} does not compile alone"; exit 1; }
    done

    cmake -S . -B "cmake-$shared" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    cmake --build "cmake-$shared" >/dev/null
    check "find_package, BUILD_SHARED_LIBS=$shared" "cmake-$shared" "$shared"

    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name stealyard.pc)")
    export PKG_CONFIG_PATH
    mkdir "pc-$shared"
    for pair in runtime:stealyard net:stealyard queue:stealyard-queues queues:stealyard-queues; do
        # shellcheck disable=SC2046 # lists of flags
        cc -std=c11 -Wall -Wextra -Werror $(pkg-config --cflags "${pair#*:}") "${pair%:*}.c" \
            -o "pc-$shared/${pair%:*}" $(pkg-config --libs "${pair#*:}") -Wl,-rpath,"$(pkg-config --variable=libdir stealyard)"
    done
    check "pkg-config, BUILD_SHARED_LIBS=$shared" "pc-$shared" "$shared"
done
