/*
 * What the HTTP/1.1 load clients share: prepared requests, the address of the server, the framing
 * of an answer, and histograms of latencies.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_BYTES_MAX = 1 << 20,
    FILE_BYTES_MAX = 256 << 20,
    HEAD_BYTES_MAX = 16384,
    BODY_BYTES_MAX = 64 << 20,
    /* 256 steps in each power of two: a percentile is exact to 0.4 percent. */
    STEP_BITS = 8,
    STEPS = 1 << STEP_BITS,
    BUCKETS = 40 * STEPS
};

typedef struct {
    const char *bytes;
    uint32_t length;
} Request;

/* An answer as far as it has come. */
typedef struct {
    char head[HEAD_BYTES_MAX];
    uint32_t head_length;
    int in_body;
    int closes;
    int status;
    int64_t body_left;
} Answer;

typedef struct {
    uint64_t counts[BUCKETS];
    uint64_t total;
    int64_t sum_ns, max_ns;
} Histogram;

static struct sockaddr_storage address;
static socklen_t address_length;
static Request *requests;
static uint32_t request_count;

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
static inline int bucket_of(int64_t ns) {
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

static void record(Histogram *h, int64_t ns) {
    h->counts[bucket_of(ns)]++;
    h->total++;
    h->sum_ns += ns;
    if (ns > h->max_ns) h->max_ns = ns;
}

static double percentile_us(const Histogram *h, double share) {
    uint64_t seen = 0;
    if (!h->total) return 0;
    uint64_t rank = (uint64_t)(share * (double)(h->total - 1)) + 1;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->counts[i];
        if (seen >= rank) return value_of(i) / 1000.0;
    }
    return 0;
}

/* The members of a JSON object that describe latencies. */
static void print_latencies(const Histogram *h) {
    printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"mean_us\": %.2f, \"max_us\": %.2f",
           percentile_us(h, 0.50), percentile_us(h, 0.99),
           h->total ? (double)h->sum_ns / (double)h->total / 1000.0 : 0.0,
           (double)h->max_ns / 1000.0);
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
static int parse_head(Answer *a) {
    const char *head = a->head;
    if (strncmp(head, "HTTP/1.1 ", 9)) return 0;
    for (int i = 9; i < 12; i++)
        if (head[i] < '0' || head[i] > '9') return 0;
    if (head[12] != ' ' && head[12] != '\r') return 0;
    a->status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
    if (a->status < 200 || a->status > 599) return 0;
    const char *closing = header(head, "connection");
    a->closes = closing && !strncasecmp(closing, "close", 5);
    const char *length = header(head, "content-length");
    if (!length) {
        a->body_left = 0;
        return a->status == 204 || a->status == 304;
    }
    char *end;
    a->body_left = strtoll(length, &end, 10);
    return end > length && *end == '\r' && a->body_left >= 0 && a->body_left <= BODY_BYTES_MAX;
}

/* Take bytes of a head; returns how many were used, or -1 when it cannot be a head. */
static ssize_t take_head(Answer *a, const char *bytes, ssize_t count) {
    ssize_t room = HEAD_BYTES_MAX - 1 - (ssize_t)a->head_length;
    ssize_t taken = count < room ? count : room;
    uint32_t before = a->head_length;
    memcpy(a->head + before, bytes, (size_t)taken);
    a->head_length += (uint32_t)taken;
    a->head[a->head_length] = 0;
    const char *end = memmem(a->head, a->head_length, "\r\n\r\n", 4);
    if (!end) return a->head_length >= HEAD_BYTES_MAX - 1 ? -1 : taken;
    uint32_t head_bytes = (uint32_t)(end - a->head) + 4;
    a->head[head_bytes] = 0;
    if (!parse_head(a)) return -1;
    a->in_body = 1;
    return (ssize_t)head_bytes - (ssize_t)before;
}

/* Take bytes of an answer; returns 1 when it is whole, 0 when more is to come, -1 when wrong. */
static int take_answer(Answer *a, const char *bytes, ssize_t count) {
    ssize_t at = 0;
    if (!a->in_body) {
        at = take_head(a, bytes, count);
        if (at < 0) return -1;
        if (!a->in_body) return 0;
    }
    a->body_left -= count - at;
    return a->body_left < 0 ? -1 : a->body_left == 0;
}

/* Processor time of this client: near the whole run, the client is what was measured. */
static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
