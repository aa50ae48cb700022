/* A crowd of TFTP clients in one thread, to measure servers with: it checks every byte that comes.
 *
 * RFC 1350, 2347, 2348, 7440. Each client has a socket and an address of its own. Packets may be
 * thrown away on arrival (-l) and ACKs before they leave (-a), by a seeded die: the same losses
 * for every server. Two manners of answering a gap: "gap", one ACK, then patience (Windows' boot
 * manager, atftp); "block", one ACK for every block that is not the next (EDK2). In lockstep there
 * are no gaps: a block that comes again gets its ACK again (RFC 1350).
 * Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { BATCH = 32, STRIDE = 65536 + 1536, EVENTS = 256 };
static const double TIMEOUT = 1.0;

struct client {
    int fd, connected, negotiated, gap_told, done, failed;
    uint64_t last;                       /* the last block that came in order */
    uint32_t block, window, since_ack;
    double started, finished, deadline;
};

static const unsigned char *reference;
static uint64_t size, received, wrong, timeouts, repeats;
static uint32_t ask_block = 512, ask_window = 1, loss_data, loss_ack; /* losses in 1/10000 */
static int per_block, clients = 1, going;
static uint64_t dice = 88172645463325252ULL;
static struct sockaddr_in server;
static char request[512];
static size_t request_length;
static struct client *all;
static double now;

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int lost(uint32_t chance) {
    if (!chance) return 0;
    dice ^= dice << 13; dice ^= dice >> 7; dice ^= dice << 17;
    return dice % 10000 < chance;
}

static void fail(const char *what) { perror(what); exit(2); }

static void finish(struct client *c, int failed) {
    if (c->done || c->failed) return;
    if (failed) c->failed = 1; else c->done = 1;
    c->finished = now;
    going--;
}

static void acknowledge(struct client *c) {
    unsigned char ack[4] = {0, 4, (unsigned char)(c->last >> 8), (unsigned char)c->last};
    c->since_ack = 0;
    c->deadline = now + TIMEOUT;
    if (!lost(loss_ack) && send(c->fd, ack, 4, 0) < 0 && errno == ECONNREFUSED) send(c->fd, ack, 4, 0);
}

static void meet(struct client *c, const struct sockaddr_in *peer) {
    if (c->connected) return;
    if (connect(c->fd, (const struct sockaddr *)peer, sizeof *peer)) fail("connect");
    c->connected = 1;
}

static void options(struct client *c, const char *p, const char *end) {
    while (p < end) {
        const char *value = memchr(p, 0, end - p);
        if (!value || ++value >= end) return;
        if (!strcasecmp(p, "blksize")) c->block = strtoul(value, 0, 10);
        if (!strcasecmp(p, "windowsize")) c->window = strtoul(value, 0, 10);
        const char *next = memchr(value, 0, end - value);
        if (!next) return;
        p = next + 1;
    }
}

static void data(struct client *c, const unsigned char *p, uint32_t length) {
    uint16_t block = p[2] << 8 | p[3];
    if (block != (uint16_t)(c->last + 1) || c->done) {
        repeats++;
        if (per_block || c->window == 1 || !c->gap_told || c->done) { c->gap_told = 1; acknowledge(c); }
        return;
    }
    uint64_t start = c->last * c->block;
    uint32_t want = size - start < c->block ? size - start : c->block;
    if (length - 4 != want || memcmp(reference + start, p + 4, want)) wrong++;
    received += want;
    c->last++;
    c->gap_told = 0;
    c->deadline = now + TIMEOUT;
    if (want < c->block) { acknowledge(c); finish(c, 0); return; }
    if (++c->since_ack >= c->window) acknowledge(c);
}

static void packet(struct client *c, const unsigned char *p, uint32_t length, const struct sockaddr_in *peer) {
    if (length < 4 || c->failed) return;
    if (p[1] == 3) {
        if (lost(loss_data)) return;
        meet(c, peer);
        data(c, p, length);
    } else if (p[1] == 6) {
        meet(c, peer);
        if (c->last) return;
        if (!c->negotiated) { c->negotiated = 1; options(c, (const char *)p + 2, (const char *)p + length); }
        acknowledge(c);
    } else if (p[1] == 5) {
        fprintf(stderr, "ERROR %d %.60s\n", p[3], p + 4);
        finish(c, 1);
    }
}

static void readable(struct client *c) {
    static unsigned char *room;
    static struct mmsghdr messages[BATCH];
    static struct iovec pieces[BATCH];
    static struct sockaddr_in peers[BATCH];
    static char controls[BATCH][CMSG_SPACE(sizeof(int))];
    if (!room && !(room = malloc((size_t)BATCH * STRIDE))) fail("malloc");
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){room + (size_t)i * STRIDE, 65536};
        messages[i].msg_hdr = (struct msghdr){&peers[i], sizeof peers[i], &pieces[i], 1, controls[i], sizeof controls[i], 0};
    }
    int count = recvmmsg(c->fd, messages, BATCH, MSG_DONTWAIT, 0);
    for (int i = 0; i < count; i++) {
        uint32_t length = messages[i].msg_len, each = length;
        const unsigned char *p = pieces[i].iov_base;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&messages[i].msg_hdr); h; h = CMSG_NXTHDR(&messages[i].msg_hdr, h))
            if (h->cmsg_level == IPPROTO_UDP && h->cmsg_type == UDP_GRO) each = *(int *)CMSG_DATA(h);
        for (uint32_t at = 0; at < length; at += each)
            packet(c, p + at, length - at < each ? length - at : each, &peers[i]);
    }
}

static void tick(void) {
    for (int i = 0; i < clients; i++) {
        struct client *c = &all[i];
        if (c->done || c->failed || now < c->deadline) continue;
        timeouts++;
        c->deadline = now + TIMEOUT;
        if (c->connected) acknowledge(c);
        else sendto(c->fd, request, request_length, 0, (struct sockaddr *)&server, sizeof server);
    }
}

static void begin(struct client *c, uint32_t address, int poll) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    int one = 1, buffer = 8 << 20;
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&own, sizeof own)) fail("bind");
    setsockopt(c->fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
    c->block = 512;
    c->window = 1;
}

static void report(double start) {
    double total = 0, slowest = 0, last = start;
    int failed = 0;
    for (int i = 0; i < clients; i++) {
        struct client *c = &all[i];
        if (!c->done) { failed++; c->finished = now; }
        double took = c->finished - c->started;
        total += took;
        if (took > slowest) slowest = took;
        if (c->finished > last) last = c->finished;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"seconds\": %.6f, \"bytes\": %llu, \"failed\": %d, \"wrong\": %llu, \"timeouts\": %llu, "
           "\"repeats\": %llu, \"mean\": %.6f, \"slowest\": %.6f, \"cpu\": %.6f}\n",
           last - start, (unsigned long long)received, failed, (unsigned long long)wrong,
           (unsigned long long)timeouts, (unsigned long long)repeats, total / clients, slowest, cpu);
}

static void map_reference(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about)) fail(path);
    size = about.st_size;
    reference = size ? mmap(0, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0) : (void *)"";
    if (reference == MAP_FAILED) fail("mmap");
}

int main(int argc, char **argv) {
    double limit = 60;
    uint32_t first = 0;
    const char *name = 0;
    server.sin_family = AF_INET;
    server.sin_port = htons(69);
    for (int o; (o = getopt(argc, argv, "s:p:n:f:r:b:w:l:a:m:t:i:")) != -1;) switch (o) {
        case 's': server.sin_addr.s_addr = inet_addr(optarg); break;
        case 'p': server.sin_port = htons(atoi(optarg)); break;
        case 'n': clients = atoi(optarg); break;
        case 'f': name = optarg; break;
        case 'r': map_reference(optarg); break;
        case 'b': ask_block = atoi(optarg); break;
        case 'w': ask_window = atoi(optarg); break;
        case 'l': loss_data = atoi(optarg); break;
        case 'a': loss_ack = atoi(optarg); break;
        case 'm': per_block = !strcmp(optarg, "block"); break;
        case 't': limit = atof(optarg); break;
        case 'i': first = ntohl(inet_addr(optarg)); break;
        default: return 2;
    }
    if (!name || !reference) return 2;
    request_length = sprintf(request, "%c%c%s%coctet%cblksize%c%u%c", 0, 1, name, 0, 0, 0, ask_block, 0);
    if (ask_window > 1) request_length += sprintf(request + request_length, "windowsize%c%u%c", 0, ask_window, 0);
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    int poll = epoll_create1(0);
    all = calloc(clients, sizeof *all);
    for (int i = 0; i < clients; i++) begin(&all[i], first + i, poll);
    double start = now = clock_now(), next = now;
    going = clients;
    for (int i = 0; i < clients; i++) {
        all[i].started = start;
        all[i].deadline = start + TIMEOUT;
        sendto(all[i].fd, request, request_length, 0, (struct sockaddr *)&server, sizeof server);
    }
    while (going && now - start < limit) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll, events, EVENTS, 10);
        now = clock_now();
        for (int i = 0; i < count; i++) readable(events[i].data.ptr);
        if (now >= next) { next = now + 0.01; tick(); }
    }
    now = clock_now();
    report(start);
    return 0;
}
