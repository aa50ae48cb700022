/* A crowd of HTTP clients in one thread, to measure servers with: it checks every byte that comes.
 *
 * HTTP/1.1 with connections that are kept. Each client has an address of its own. Asks for whole
 * files, or (-R) for ranges of that many bytes at places that a seeded die picks: the same for
 * every server. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, ROOM = 256 * 1024, EVENTS = 256 };

struct client {
    int fd, head_done, close_after, busy;
    uint32_t address, head_length;
    uint64_t at, left;              /* where in the file the next byte belongs; how many are due */
    char head[HEAD];
};

static const unsigned char *reference;
static uint64_t size, received, wrong, failed, asked, answered, total = 1, range;
static uint64_t dice = 88172645463325252ULL;
static struct sockaddr_in server;
static const char *path;
static int queue;

static void fail(const char *what) { perror(what); exit(2); }

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t throw_dice(void) {
    dice ^= dice << 13; dice ^= dice >> 7; dice ^= dice << 17;
    return dice;
}

static void dial(struct client *c) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(c->address)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0) fail("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&own, sizeof own)) fail("bind");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server)) fail("connect");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
}

static void ask(struct client *c) {
    char request[1024];
    int length;
    c->busy = 0;
    if (asked >= total) return;
    asked++;
    c->busy = 1;
    c->head_done = c->head_length = c->close_after = 0;
    c->at = 0;
    if (range) {
        c->at = throw_dice() % (size - range + 1);
        length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\nRange: bytes=%llu-%llu\r\n\r\n",
                          path, (unsigned long long)c->at, (unsigned long long)(c->at + range - 1));
    } else {
        length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    }
    if (send(c->fd, request, length, MSG_NOSIGNAL) != length) {
        close(c->fd);
        dial(c);
        if (send(c->fd, request, length, MSG_NOSIGNAL) != length) fail("send");
    }
}

static void next(struct client *c) {
    answered++;
    if (c->close_after) { close(c->fd); dial(c); }
    ask(c);
}

static void body(struct client *c, const unsigned char *p, uint64_t length) {
    if (length > c->left || memcmp(reference + c->at, p, length)) { wrong++; if (length > c->left) length = c->left; }
    c->at += length;
    c->left -= length;
    received += length;
    if (!c->left) next(c);
}

static void understand(struct client *c, uint32_t head) {
    const char *length = strcasestr(c->head, "\r\nContent-Length:");
    int status = atoi(c->head + 9);
    c->head_done = 1;
    c->left = length ? strtoull(length + 17, 0, 10) : 0;
    c->close_after = strcasestr(c->head, "\r\nConnection: close") != 0;
    if (status != (range ? 206 : 200) || c->left != (range ? range : size)) {
        fprintf(stderr, "%.*s\n", (int)head, c->head);
        failed++;
        exit(3);
    }
}

static void readable(struct client *c) {
    static unsigned char room[ROOM];
    for (int turn = 0; turn < 8 && c->busy; turn++) {
        ssize_t got = recv(c->fd, room, ROOM, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { failed++; close(c->fd); dial(c); ask(c); return; }
        const unsigned char *p = room;
        if (!c->head_done) {
            uint32_t take = (uint32_t)got < HEAD - 1 - c->head_length ? (uint32_t)got : HEAD - 1 - c->head_length;
            memcpy(c->head + c->head_length, p, take);
            c->head[c->head_length + take] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end) { c->head_length += take; continue; }
            uint32_t head = end + 4 - c->head, consumed = head - c->head_length;
            end[2] = 0;
            understand(c, head);
            p += consumed;
            got -= consumed;
            if (!c->left) { next(c); continue; }
        }
        if (got > 0) body(c, p, got);
    }
}

static void map_reference(const char *name) {
    struct stat about;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &about)) fail(name);
    size = about.st_size;
    reference = mmap(0, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (reference == MAP_FAILED) fail("mmap");
}

int main(int argc, char **argv) {
    int clients = 1;
    uint32_t first = 0;
    double limit = 60;
    server.sin_family = AF_INET;
    for (int o; (o = getopt(argc, argv, "s:p:c:n:u:r:R:i:t:")) != -1;) switch (o) {
        case 's': server.sin_addr.s_addr = inet_addr(optarg); break;
        case 'p': server.sin_port = htons(atoi(optarg)); break;
        case 'c': clients = atoi(optarg); break;
        case 'n': total = strtoull(optarg, 0, 10); break;
        case 'u': path = optarg; break;
        case 'r': map_reference(optarg); break;
        case 'R': range = strtoull(optarg, 0, 10); break;
        case 'i': first = ntohl(inet_addr(optarg)); break;
        case 't': limit = atof(optarg); break;
        default: return 2;
    }
    if (!path || !reference) return 2;
    queue = epoll_create1(0);
    struct client *all = calloc(clients, sizeof *all);
    for (int i = 0; i < clients; i++) { all[i].address = first + i; dial(&all[i]); }
    double start = clock_now(), now = start;
    for (int i = 0; i < clients; i++) ask(&all[i]);
    while (answered < total && now - start < limit) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(queue, events, EVENTS, 100);
        for (int i = 0; i < count; i++) readable(events[i].data.ptr);
        now = clock_now();
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"seconds\": %.6f, \"bytes\": %llu, \"answered\": %llu, \"failed\": %llu, \"wrong\": %llu, \"cpu\": %.6f}\n",
           now - start, (unsigned long long)received, (unsigned long long)answered,
           (unsigned long long)(failed + total - answered), (unsigned long long)wrong, cpu);
    return 0;
}
