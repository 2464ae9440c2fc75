/*
 * A closed-loop HTTP/1.1 load client: every connection sends one prepared request, waits for
 * the whole answer, then sends the next.
 *
 * It is one thread around epoll, so that on a two-core machine the server under test keeps a
 * core of its own and the client never becomes the bottleneck. It speaks to loopback only, and
 * both its time and its number of requests are bounded.
 *
 *   load ADDRESS PORT CONNECTIONS SECONDS REQUESTS_MAX STATUS FILE FIRST
 *
 * FILE holds the requests, each a 4-byte little-endian length and then its bytes; they are sent
 * in turn, over all connections, beginning with number FIRST, so that a later run can go on
 * where an earlier one ended. REQUESTS_MAX 0 means "until the time is over". An answer is
 * wrong when it is malformed, cut short, followed by bytes nobody asked for, later than the
 * stall limit, or of another status than STATUS; wrong answers are counted as errors and are
 * never part of the latencies. The result is one JSON object on standard output.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    SECONDS_MAX = 120,
    REQUESTS_LIMIT = 100000000,
    REQUEST_BYTES_MAX = 1 << 20,
    FILE_BYTES_MAX = 256 << 20,
    HEAD_BYTES_MAX = 16384,
    BODY_BYTES_MAX = 64 << 20,
    READ_BYTES = 262144,
    /* 256 steps in each power of two: a percentile is exact to 0.4 percent. */
    STEP_BITS = 8,
    STEPS = 1 << STEP_BITS,
    BUCKETS = 40 * STEPS
};
#define STALL_LIMIT_NS 5000000000LL

typedef struct {
    const char *bytes;
    uint32_t length;
} Request;

typedef struct {
    int fd; /* -1: this connection is given up */
    const Request *request;
    uint32_t sent;
    int64_t started_ns;
    char head[HEAD_BYTES_MAX];
    uint32_t head_length;
    int in_body;
    int closes;
    int status;
    int64_t body_left;
} Connection;

static struct sockaddr_storage address;
static socklen_t address_length;
static int poller;
static Connection *connections;
static int connection_count;
static Request *requests;
static uint32_t request_count, next_request;
static int64_t issued, requests_max, completed, right, in_flight, errors, bytes_read;
static int64_t deadline_ns, latency_sum_ns, latency_max_ns;
static int64_t status_classes[6];
static uint64_t histogram[BUCKETS];
static int expected_status;

static void die(const char *text) {
    fprintf(stderr, "load: %s\n", text);
    exit(2);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The bucket of a latency: its highest bits, so that steps grow with the value. */
static int bucket_of(int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    if (value < STEPS) return (int)value;
    int shift = 63 - __builtin_clzll(value) - STEP_BITS;
    int bucket = (shift + 1) * STEPS + (int)((value >> shift) - STEPS);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket, in nanoseconds. */
static double value_of(int bucket) {
    if (bucket < STEPS) return bucket;
    int shift = bucket / STEPS - 1;
    return ((double)(bucket % STEPS + STEPS) + 0.5) * (double)(1ULL << shift);
}

static double percentile_us(double share) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += histogram[i];
    if (!total) return 0;
    uint64_t rank = (uint64_t)(share * (double)(total - 1)) + 1;
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen >= rank) return value_of(i) / 1000.0;
    }
    return 0;
}

static void parse_address(const char *host, int port) {
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        address_length = sizeof *four;
        if (ntohl(four->sin_addr.s_addr) >> 24 != 127) die("only loopback may be loaded");
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        address_length = sizeof *six;
        if (!IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)) die("only loopback may be loaded");
    } else {
        die("the address must be numeric: 127.0.0.1 or ::1");
    }
}

static void read_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die("the file of requests cannot be opened");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    if (size <= 4 || size > FILE_BYTES_MAX) die("the file of requests is empty or too big");
    char *bytes = malloc((size_t)size);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) die("cannot read requests");
    fclose(file);
    requests = malloc(sizeof(Request) * ((size_t)size / 4));
    if (!requests) die("out of memory");
    for (long at = 0; at < size;) {
        uint32_t length;
        if (size - at < 4) die("the file of requests ends inside a length");
        memcpy(&length, bytes + at, 4);
        at += 4;
        if (!length || length > REQUEST_BYTES_MAX || (long)length > size - at)
            die("the file of requests holds a wrong length");
        requests[request_count++] = (Request){bytes + at, length};
        at += length;
    }
}

static int open_socket(void) {
    int one = 1;
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, address_length)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static void watch(Connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) die("epoll_ctl failed");
}

static void connect_again(Connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = open_socket();
    if (c->fd >= 0) watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void issue(Connection *c);

/* Give up the request in flight as wrong, and go on with a new connection. */
static void fail(Connection *c) {
    errors++;
    in_flight--;
    c->request = NULL;
    connect_again(c);
    issue(c);
}

static void send_rest(Connection *c) {
    while (c->sent < c->request->length) {
        ssize_t n = send(c->fd, c->request->bytes + c->sent, c->request->length - c->sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        /* A dead connection shows itself to the reader, which counts the error once. */
        if (n < 0) return;
        c->sent += (uint32_t)n;
    }
}

/* Send the next request, unless time or number is used up. */
static void issue(Connection *c) {
    if (c->fd < 0) return;
    int64_t now = now_ns();
    if (now >= deadline_ns || (requests_max && issued >= requests_max)) return;
    c->request = &requests[next_request];
    next_request = (next_request + 1) % request_count;
    c->sent = c->head_length = 0;
    c->in_body = c->closes = 0;
    c->started_ns = now;
    issued++;
    in_flight++;
    send_rest(c);
}

static void finish(Connection *c) {
    int64_t latency = now_ns() - c->started_ns;
    int closes = c->closes;
    c->request = NULL;
    in_flight--;
    completed++;
    status_classes[c->status / 100]++;
    if (c->status != expected_status) {
        errors++;
    } else {
        right++;
        histogram[bucket_of(latency)]++;
        latency_sum_ns += latency;
        if (latency > latency_max_ns) latency_max_ns = latency;
    }
    if (closes) connect_again(c);
    issue(c);
}

/* The value of a header in a complete head, or NULL. */
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, length) && line[length] == ':') {
            const char *value = line + length + 1;
            while (*value == ' ' || *value == '\t') value++;
            return value;
        }
    }
    return NULL;
}

/* Read status and length out of a complete head; 0 when it is not one we understand. */
static int parse_head(Connection *c) {
    const char *head = c->head;
    if (strncmp(head, "HTTP/1.1 ", 9)) return 0;
    for (int i = 9; i < 12; i++)
        if (head[i] < '0' || head[i] > '9') return 0;
    if (head[12] != ' ' && head[12] != '\r') return 0;
    c->status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
    if (c->status < 200 || c->status > 599) return 0;
    const char *closing = header(head, "connection");
    c->closes = closing && !strncasecmp(closing, "close", 5);
    const char *length = header(head, "content-length");
    if (!length) {
        c->body_left = 0;
        return c->status == 204 || c->status == 304;
    }
    char *end;
    c->body_left = strtoll(length, &end, 10);
    return end > length && *end == '\r' && c->body_left >= 0 && c->body_left <= BODY_BYTES_MAX;
}

/* Take bytes of a head; returns how many were used, or -1 when it cannot be a head. */
static ssize_t take_head(Connection *c, const char *bytes, ssize_t count) {
    ssize_t room = HEAD_BYTES_MAX - 1 - (ssize_t)c->head_length;
    ssize_t taken = count < room ? count : room;
    uint32_t before = c->head_length;
    memcpy(c->head + before, bytes, (size_t)taken);
    c->head_length += (uint32_t)taken;
    c->head[c->head_length] = 0;
    const char *end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
    if (!end) return c->head_length >= HEAD_BYTES_MAX - 1 ? -1 : taken;
    uint32_t head_bytes = (uint32_t)(end - c->head) + 4;
    c->head[head_bytes] = 0;
    if (!parse_head(c)) return -1;
    c->in_body = 1;
    return (ssize_t)head_bytes - (ssize_t)before;
}

static void take(Connection *c, const char *bytes, ssize_t count) {
    ssize_t at = 0;
    /* Bytes that no request asked for belong to no answer. */
    if (!c->request) {
        errors++;
        connect_again(c);
        return;
    }
    if (!c->in_body) {
        at = take_head(c, bytes, count);
        if (at < 0) {
            fail(c);
            return;
        }
        if (!c->in_body) return;
    }
    c->body_left -= count - at;
    if (c->body_left < 0)
        fail(c);
    else if (c->body_left == 0)
        finish(c);
}

static void readable(Connection *c) {
    static char bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        bytes_read += n;
        take(c, bytes, n);
    } else if (n == 0 || errno != EAGAIN) {
        if (c->request)
            fail(c);
        else
            connect_again(c);
    }
}

/* Whatever is not answered after the stall limit is an error, so that a run always ends. */
static void give_up_stalled(void) {
    int64_t now = now_ns();
    for (int i = 0; i < connection_count; i++)
        if (connections[i].request && now - connections[i].started_ns > STALL_LIMIT_NS)
            fail(&connections[i]);
}

static void run(void) {
    struct epoll_event ready[CONNECTIONS_MAX];
    for (int i = 0; i < connection_count; i++) issue(&connections[i]);
    int64_t look_ns = now_ns() + 1000000000LL;
    while (in_flight > 0) {
        int n = epoll_wait(poller, ready, connection_count, 100);
        for (int i = 0; i < n; i++) {
            Connection *c = ready[i].data.ptr;
            if (ready[i].events & EPOLLOUT && c->request) {
                watch(c, EPOLL_CTL_MOD, EPOLLIN);
                send_rest(c);
            }
            if (c->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
        if (now_ns() >= look_ns) {
            give_up_stalled();
            look_ns = now_ns() + 1000000000LL;
        }
    }
}

/* Processor time of this client: near the whole run, the client is what was measured. */
static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(double seconds) {
    printf("{\"requests\": %lld, \"seconds\": %.6f, \"rate\": %.3f, ", (long long)completed,
           seconds, seconds > 0 ? (double)completed / seconds : 0.0);
    printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"mean_us\": %.2f, \"max_us\": %.2f, ",
           percentile_us(0.50), percentile_us(0.99),
           right ? (double)latency_sum_ns / (double)right / 1000.0 : 0.0,
           (double)latency_max_ns / 1000.0);
    printf("\"cpu_seconds\": %.4f, \"bytes\": %lld, \"status\": {", cpu_seconds(),
           (long long)bytes_read);
    for (int i = 1; i <= 5; i++)
        printf("%s\"%dxx\": %lld", i > 1 ? ", " : "", i, (long long)status_classes[i]);
    printf("}, \"errors\": %lld}\n", (long long)errors);
}

int main(int argc, char **argv) {
    if (argc != 9)
        die("usage: load ADDRESS PORT CONNECTIONS SECONDS REQUESTS_MAX STATUS FILE FIRST");
    int port = atoi(argv[2]);
    connection_count = atoi(argv[3]);
    double seconds_max = atof(argv[4]);
    requests_max = atoll(argv[5]);
    expected_status = atoi(argv[6]);
    if (port < 1 || port > 65535) die("no such port");
    if (connection_count < 1 || connection_count > CONNECTIONS_MAX) die("1 to 1024 connections");
    if (!(seconds_max > 0 && seconds_max <= SECONDS_MAX)) die("more than 0, at most 120 seconds");
    if (requests_max < 0 || requests_max > REQUESTS_LIMIT) die("at most 100,000,000 requests");
    if (expected_status < 200 || expected_status > 599) die("an expected status is 200 to 599");
    parse_address(argv[1], port);
    read_requests(argv[7]);
    next_request = (uint32_t)(strtoull(argv[8], NULL, 10) % request_count);
    poller = epoll_create1(0);
    connections = calloc((size_t)connection_count, sizeof *connections);
    if (poller < 0 || !connections) die("out of memory");
    for (int i = 0; i < connection_count; i++) {
        connections[i].fd = -1;
        connect_again(&connections[i]);
        if (connections[i].fd < 0) die("nobody listens at this address");
    }
    int64_t started = now_ns();
    deadline_ns = started + (int64_t)(seconds_max * 1e9);
    run();
    report((double)(now_ns() - started) / 1e9);
    return 0;
}
