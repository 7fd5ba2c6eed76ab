/* tail: records produced at a fixed rate on one connection, awaited on another; from due to seen, how long does each take?
 *
 *     cc -O2 -o tail tail.c
 *
 *   -p PORT  on 127.0.0.1    -S PID  whose CPU time is reported too      -P KIND  flux, redis or nats
 *   -r R     records/s       -t S    seconds measured (1)                -w S     seconds before that, to warm up (0)
 *   -s N     bytes a value (100)
 *
 * A record counts from when it was due, so a server that stalls is charged for everything that had to wait (no coordinated
 * omission). Records are produced in order and the log has one partition, so the n-th seen is the n-th produced. The log, stream or
 * subject is called bench; it must be empty, and a NATS push consumer must deliver it to the subject "follow". Spins rather than
 * sleeps, to be in time. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include "timing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define WAIT_MS 5000
#define PATIENCE 5 /* seconds, for what is not seen when the last record was due */
#define BATCH 512 /* records rendered before the socket gets its turn */

typedef struct {
    int fd;
    char *in; /* what was read and not yet dealt with */
    size_t in_length, in_capacity;
} channel;

typedef struct {
    const char *greeting; /* sent first; NATS answers it with two lines */
    size_t (*render)(char *to, long number, const char *value, size_t size);
    void (*ask)(void);              /* for more, once all of an answer is there; NULL: records come unasked */
    long (*take)(char *line);       /* a line of the follower's; the number of records it brings to an end, -1: there is more to come */
    const char *acknowledged;       /* what a line of an acknowledgement holds */
} tongue;

static histogram latencies;
static channel producer, follower;
static long next_offset;
static char last_id[64] = "0";

static _Noreturn void fail(const char *what) {
    perror(what);
    exit(3);
}

static size_t send_some(int fd, const char *text, size_t length) {
    ssize_t n = length ? send(fd, text, length, MSG_NOSIGNAL) : 0;
    if (n < 0 && errno != EAGAIN) fail("send");
    return n < 0 ? 0 : (size_t)n;
}

/* For requests of the follower, which fit any socket's buffer. */
static void send_all(int fd, const char *text, size_t length) {
    for (size_t n; length; text += n, length -= n) n = send_some(fd, text, length);
}

/* --- Flux: long polls --- */

static size_t flux_render(char *to, long number, const char *value, size_t size) {
    size_t n = (size_t)sprintf(to, "V1|%ld|PRODUCE|bench k:", number);
    memcpy(to + n, value, size);
    return n + size + (size_t)sprintf(to + n + size, " acks=1\n");
}

static void flux_ask(void) {
    char text[128];
    send_all(follower.fd, text, (size_t)sprintf(text, "V1|1|CONSUME|bench 0 %ld wait_ms=%d\n", next_offset, WAIT_MS));
}

static long flux_take(char *line) {
    char *next = strstr(line, " next="); /* values hold no blanks */
    if (!next) { fprintf(stderr, "bad answer: %.200s\n", line); exit(3); }
    long before = next_offset;
    next_offset = atol(next + 6);
    return next_offset - before;
}

/* --- Redis: XREAD BLOCK --- */

static size_t redis_render(char *to, long number, const char *value, size_t size) {
    (void)number;
    size_t n = (size_t)sprintf(to, "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nv\r\n$%zu\r\n", size);
    memcpy(to + n, value, size);
    return n + size + (size_t)sprintf(to + n + size, "\r\n");
}

static void redis_ask(void) {
    char text[256];
    int n = sprintf(text, "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$4\r\n%d\r\n$7\r\nSTREAMS\r\n$5\r\nbench\r\n$%zu\r\n%s\r\n", WAIT_MS,
                    strlen(last_id), last_id);
    send_all(follower.fd, text, (size_t)n);
}

/* *1 *2 $5 bench *N, then for each record *2 $len id *2 $1 v $len value; *-1 when nothing came. */
static long redis_take(char *line) {
    static long at, records;
    long here = at++;
    if (here == 0 && !strncmp(line, "*-1", 3)) {
        at = 0;
        return 0;
    }
    if (here == 4) records = atol(line + 1);
    if (here < 5) return -1;
    if ((here - 5) % 8 == 2) snprintf(last_id, sizeof last_id, "%.*s", (int)strcspn(line, "\r"), line);
    if (here + 1 < 5 + 8 * records) return -1;
    at = 0;
    return records;
}

/* --- NATS: a push consumer --- */

static size_t nats_render(char *to, long number, const char *value, size_t size) {
    (void)number;
    size_t n = (size_t)sprintf(to, "PUB bench ack %zu\r\n", size);
    memcpy(to + n, value, size);
    return n + size + (size_t)sprintf(to + n + size, "\r\n");
}

static long nats_take(char *line) {
    static int in_message;
    if (in_message) {
        in_message = 0;
        return 1;
    }
    in_message = !strncmp(line, "MSG ", 4);
    return -1;
}

static const tongue flux = {NULL, flux_render, flux_ask, flux_take, "|OK|"};
static const tongue redis = {NULL, redis_render, redis_ask, redis_take, "-"}; /* an id */
static const tongue nats = {"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB ack 1\r\nPING\r\n", nats_render, NULL, nats_take, "\"seq\""};
static const char nats_follow[] = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB follow 1\r\nPING\r\n";

/* --- channels --- */

static void open_channel(channel *c, int port, const char *greeting) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    char byte;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (greeting) {
        send_all(c->fd, greeting, strlen(greeting));
        for (int lines = 0; lines < 2; lines += byte == '\n')
            if (read(c->fd, &byte, 1) != 1) fail("the greeting");
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

/* Read what there is; the number of bytes. */
static size_t fill(channel *c) {
    if (c->in_capacity - c->in_length < 1 << 18) {
        c->in_capacity = c->in_capacity ? 2 * c->in_capacity : 1 << 20;
        c->in = realloc(c->in, c->in_capacity);
        if (!c->in) fail("realloc");
    }
    ssize_t n = recv(c->fd, c->in + c->in_length, c->in_capacity - c->in_length - 1, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) fail("the server closed a connection");
    c->in_length += (size_t)n;
    return (size_t)n;
}

/* The next whole line from *at on, ended by a NUL; NULL when there is none. */
static char *next_line(channel *c, size_t *at, size_t unseen) {
    size_t from = *at > unseen ? *at : unseen; /* a line of a megabyte is looked through once, not at each read */
    char *end = memchr(c->in + from, '\n', c->in_length - from);
    if (!end) {
        memmove(c->in, c->in + *at, c->in_length - *at);
        c->in_length -= *at;
        return NULL;
    }
    char *line = c->in + *at;
    *end = 0;
    *at = (size_t)(end - c->in) + 1;
    return line;
}

static long acknowledgements(const tongue *t) {
    long count = 0;
    size_t unseen = producer.in_length, at = 0;
    if (fill(&producer))
        for (char *line; (line = next_line(&producer, &at, unseen));) count += *line != '-' && strstr(line, t->acknowledged);
    return count;
}

static long seen(const tongue *t) {
    long count = 0;
    size_t unseen = follower.in_length, at = 0;
    if (fill(&follower))
        for (char *line; (line = next_line(&follower, &at, unseen));) {
            long records = t->take(line);
            if (records < 0) continue;
            count += records;
            if (t->ask) t->ask();
        }
    return count;
}

int main(int argc, char **argv) {
    int port = 0, pid = 0;
    double rate = 1000, seconds = 1, warm_up = 0;
    size_t size = 100;
    const tongue *t = &flux;
    for (int o; (o = getopt(argc, argv, "p:S:P:r:t:w:s:")) != -1;) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'S': pid = atoi(optarg); break;
        case 'P': t = *optarg == 'r' ? &redis : *optarg == 'n' ? &nats : &flux; break;
        case 'r': rate = atof(optarg); break;
        case 't': seconds = atof(optarg); break;
        case 'w': warm_up = atof(optarg); break;
        case 's': size = (size_t)atol(optarg); break;
        default: return 2;
        }
    char *value = malloc(size), *out = malloc((size + 128) * BATCH);
    memset(value, 'v', size);
    open_channel(&producer, port, t->greeting);
    open_channel(&follower, port, t == &nats ? nats_follow : NULL);
    if (t->ask) t->ask();

    long produced = 0, acknowledged = 0, followed = 0, measured = 0;
    size_t begin = 0, length = 0; /* of what is rendered and not sent: a server may stop reading until its answers are read */
    long first = (long)(warm_up * rate), all = first + (long)(seconds * rate);
    uint64_t start = now_ns(), give_up = start + (uint64_t)((warm_up + seconds + PATIENCE) * SECOND), measured_from = start;
    double client_cpu = own_cpu_s(), server_cpu = cpu_of_s(pid);
    while (followed < all && now_ns() < give_up) {
        long due = (long)((double)(now_ns() - start) / SECOND * rate) + 1;
        if (due > all) due = all;
        if (produced < first && due >= first) {
            measured_from = now_ns();
            client_cpu = own_cpu_s();
            server_cpu = cpu_of_s(pid);
        }
        if (begin == length) begin = length = 0;
        if (!length)
            for (int i = 0; i < BATCH && produced < due; i++) length += t->render(out + length, produced++, value, size);
        begin += send_some(producer.fd, out + begin, length - begin);
        acknowledged += acknowledgements(t);
        long more = seen(t);
        for (uint64_t at = more ? now_ns() : 0; more; more--, followed++)
            if (followed >= first) {
                uint64_t was_due = start + (uint64_t)((double)followed / rate * SECOND);
                record(&latencies, at > was_due ? at - was_due : 1);
                measured++;
            }
    }
    double elapsed = (double)(now_ns() - measured_from) / SECOND;
    client_cpu = own_cpu_s() - client_cpu;
    server_cpu = cpu_of_s(pid) - server_cpu;
    while (acknowledged < produced && now_ns() < give_up) acknowledged += acknowledgements(t);
    printf("{\"requests\":%ld,\"errors\":0,\"unanswered\":%ld,\"elapsed_s\":%.6f,\"per_second\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"max_us\":%.1f,\"client_cpu\":%.4f,\"server_cpu\":%.4f,\"server_cpu_us\":%.3f}\n",
           measured, (produced - acknowledged) + (all - followed), elapsed, (double)measured / elapsed, quantile_us(&latencies, .5),
           quantile_us(&latencies, .99), quantile_us(&latencies, .999), (double)latencies.largest / 1000, client_cpu / elapsed,
           server_cpu / elapsed, measured ? server_cpu * 1e6 / (double)measured : 0);
    return 0;
}
