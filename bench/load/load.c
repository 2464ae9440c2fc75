/*
 * A closed-loop HTTP/1.1 load client: every connection sends one prepared request, waits for
 * the whole answer, then sends the next.
 *
 * It is one thread around epoll, so that on a two-core machine the server under test keeps a
 * whole core and the client never becomes the bottleneck. It speaks to loopback only, and
 * both its time and its number of requests are bounded.
 *
 *   load ADDRESS PORT CONNECTIONS SECONDS REQUESTS_MAX STATUS FILE FIRST
 *
 * FILE holds the requests, each a 4-byte little-endian length and then its bytes; they are sent
 * in turn, over all connections, beginning with number FIRST, so that a later run can continue
 * where an earlier one ended. REQUESTS_MAX 0 means "until the time is over". A response is
 * wrong when it is malformed, cut short, followed by extra bytes, later than the
 * stall limit, or of another status than STATUS; wrong answers are counted as errors and are
 * never part of the latencies. The result is one JSON object on standard output.
 */
#define _GNU_SOURCE
#include "http1.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

enum {
    CONNECTIONS_MAX = 1024,
    SECONDS_MAX = 120,
    REQUESTS_LIMIT = 100000000,
    READ_BYTES = 262144
};
#define STALL_LIMIT_NS 5000000000LL

typedef struct {
    int fd; /* -1: this connection is given up */
    const Request *request;
    uint32_t sent;
    int64_t started_ns;
    Answer answer;
} Connection;

static int poller;
static Connection *connections;
static int connection_count;
static uint32_t next_request;
static int64_t issued, requests_max, completed, in_flight, errors, bytes_read;
static int64_t deadline_ns;
static int64_t status_classes[6];
static Histogram latencies;
static int expected_status;

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

/* Give up the request in flight as wrong, and continue with a new connection. */
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
    c->sent = 0;
    c->answer.head_length = 0;
    c->answer.in_body = 0;
    c->started_ns = now;
    issued++;
    in_flight++;
    send_rest(c);
}

static void finish(Connection *c) {
    int64_t latency = now_ns() - c->started_ns;
    int closes = c->answer.closes;
    c->request = NULL;
    in_flight--;
    completed++;
    status_classes[c->answer.status / 100]++;
    if (c->answer.status != expected_status)
        errors++;
    else
        record(&latencies, latency);
    if (closes) connect_again(c);
    issue(c);
}

static void take(Connection *c, const char *bytes, ssize_t count) {
    /* Bytes that no request asked for belong to no answer. */
    if (!c->request) {
        errors++;
        connect_again(c);
        return;
    }
    int state = take_answer(&c->answer, bytes, count);
    if (state < 0)
        fail(c);
    else if (state > 0)
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

/* A request without a response after the stall limit is an error, so that a run always ends. */
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

static void report(double seconds) {
    printf("{\"requests\": %lld, \"seconds\": %.6f, \"rate\": %.3f, ", (long long)completed,
           seconds, seconds > 0 ? (double)completed / seconds : 0.0);
    print_latencies(&latencies);
    printf(", ");
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
        if (connections[i].fd < 0) die("no server listens at this address");
    }
    int64_t started = now_ns();
    deadline_ns = started + (int64_t)(seconds_max * 1e9);
    run();
    report((double)(now_ns() - started) / 1e9);
    return 0;
}
