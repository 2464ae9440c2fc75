/*
 * An open-loop HTTP/1.1 load client: requests are due on a schedule, regardless of the
 * earlier ones, and a latency counts from the moment at which its request was due. So a server
 * that stalls gets no fewer requests, and those due during the stall count in the latencies
 * ("coordinated omission" is what a closed loop has instead).
 *
 *   offered ADDRESS PORT CONNECTIONS SECONDS RATE SCHEDULE SEED TIMEOUT_MS WAIT_MS FILE FIRST
 *
 * SCHEDULE is "even" (fixed spacing) or "poisson" (exponential gaps from SEED). FILE holds the
 * prepared requests as for load.c; they are sent in turn, beginning with number FIRST. Each
 * connection carries one request at a time:
 *
 *   state       leaves for                      when
 *   CONNECTING  FREE | BROKEN                   the handshake ends | fails (counted)
 *   FREE        BUSY                            a request is due; the longest free one is taken
 *   BUSY        FREE                            the response is complete
 *   BUSY        CONNECTING                      the response is truncated, wrong or later than
 *                                               TIMEOUT_MS after it was due (counted)
 *   BROKEN      CONNECTING                      RECONNECT_NS later
 *
 * A request that finds no free connection waits for one, at most WAIT_MS, as in the pool of an
 * HTTP library; then it is given up and counted as unsent. Everything is bounded: SECONDS, the
 * number of requests, connections, and how long the last answers are awaited. Loopback only.
 * The result is one JSON object on standard output: answers by status, latencies of accepted
 * (2xx) and of refused (429, 503) requests apart, and the same for each window of the schedule.
 */
#define _GNU_SOURCE
#include "http1.h"

#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

enum {
    CONNECTIONS_MAX = 4096,
    SECONDS_MAX = 60,
    RATE_MAX = 500000,
    REQUESTS_LIMIT = 10000000,
    PATIENCE_MS_MAX = 30000,
    /* Few events at a time, so that requests that become due are not sent late. */
    EVENTS_PER_TURN = 64,
    READ_BYTES = 262144,
    STATUSES = 600
};
#define MS 1000000LL
#define RECONNECT_NS (20 * MS)
#define WINDOW_NS (100 * MS)
#define TURN_NS_MAX (5 * MS)
/* The kernel connects before the server accepts: it gets this long for that. */
#define SETTLE_NS (300 * MS)

enum { CONNECTING, FREE, BUSY, BROKEN };

typedef struct Connection {
    int fd, state;
    const Request *request;
    uint32_t sent;
    int64_t due_ns, retry_ns;
    /* In one list by its state: free (longest free first) or busy (longest due first). */
    struct Connection *before, *behind;
    Answer answer;
} Connection;

typedef struct {
    Connection *first, *last;
} List;

typedef struct {
    int64_t due, accepted, refused, other, sum_us, worst_us;
} Window;

static int poller;
static Connection *connections;
static int connection_count, broken_count;
static List free_list, busy_list;
static int64_t *waiting; /* A ring of the due times of requests without a connection. */
static int64_t waiting_size, waiting_first, waiting_count;
static uint32_t next_request;
static int64_t started_ns, end_ns, next_due_ns, timeout_ns, wait_ns;
static double gap_ns;
static int is_poisson;
static uint64_t chance;
static int64_t due_count, sent_count, in_flight, unsent, connect_errors, timeouts, cut_off;
static int64_t bytes_read, statuses[STATUSES];
static Histogram accepted, refused, lag;
static Window windows[SECONDS_MAX * 10 + 1];

static void append(List *list, Connection *c) {
    c->before = list->last;
    c->behind = NULL;
    if (list->last) list->last->behind = c;
    else list->first = c;
    list->last = c;
}

static void take_out(List *list, Connection *c) {
    if (c->before) c->before->behind = c->behind;
    else list->first = c->behind;
    if (c->behind) c->behind->before = c->before;
    else list->last = c->before;
}

static Window *window_of(int64_t due_ns) { return &windows[(due_ns - started_ns) / WINDOW_NS]; }

/* A number in (0, 1], from xorshift64*. */
static double next_chance(void) {
    chance ^= chance >> 12;
    chance ^= chance << 25;
    chance ^= chance >> 27;
    return (double)(((chance * 2685821657736338717ULL) >> 11) + 1) / 9007199254740992.0;
}

static void watch(Connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) die("epoll_ctl failed");
}

static void set_broken(Connection *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->state = BROKEN;
    c->retry_ns = now_ns() + RECONNECT_NS;
    connect_errors++;
    broken_count++;
}

static void begin_connecting(Connection *c) {
    int one = 1;
    c->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("too many open files");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = CONNECTING;
    if (connect(c->fd, (struct sockaddr *)&address, address_length) && errno != EINPROGRESS) {
        set_broken(c);
        return;
    }
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void connect_again(Connection *c) {
    close(c->fd);
    begin_connecting(c);
}

static void send_rest(Connection *c) {
    while (c->sent < c->request->length) {
        ssize_t n = send(c->fd, c->request->bytes + c->sent, c->request->length - c->sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        /* A dead connection shows itself to the reader, which counts it once. */
        if (n < 0) return;
        c->sent += (uint32_t)n;
    }
}

static void start_request(Connection *c, int64_t due_ns) {
    take_out(&free_list, c);
    append(&busy_list, c);
    c->state = BUSY;
    c->due_ns = due_ns;
    c->request = &requests[next_request];
    next_request = (next_request + 1) % request_count;
    c->sent = 0;
    c->answer.head_length = 0;
    c->answer.in_body = 0;
    sent_count++;
    in_flight++;
    send_rest(c);
}

/* Give a connection to the request that has waited longest for one. */
static void serve_waiting(void) {
    while (waiting_count && free_list.first) {
        start_request(free_list.first, waiting[waiting_first]);
        waiting_first = (waiting_first + 1) % waiting_size;
        waiting_count--;
    }
}

static void set_free(Connection *c) {
    c->state = FREE;
    append(&free_list, c);
    serve_waiting();
}

static void leave_busy(Connection *c) {
    take_out(&busy_list, c);
    in_flight--;
}

static void give_up(Connection *c, int64_t *counter) {
    (*counter)++;
    window_of(c->due_ns)->other++;
    leave_busy(c);
    connect_again(c);
}

static void finish(Connection *c) {
    int64_t latency = now_ns() - c->due_ns;
    /* Late, though `expire` has not run since: on a busy machine this process may have waited. */
    if (latency > timeout_ns) {
        give_up(c, &timeouts);
        return;
    }
    int status = c->answer.status;
    Window *window = window_of(c->due_ns);
    statuses[status]++;
    if (status < 300) {
        record(&accepted, latency);
        window->accepted++;
        window->sum_us += latency / 1000;
        if (latency / 1000 > window->worst_us) window->worst_us = latency / 1000;
    } else if (status == 429 || status == 503) {
        record(&refused, latency);
        window->refused++;
    } else {
        window->other++;
    }
    leave_busy(c);
    if (c->answer.closes) connect_again(c);
    else set_free(c);
}

static void readable(Connection *c) {
    static char bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) bytes_read += n;
    if (c->state == FREE) {
        /* The server closes an idle connection, or sends what no request asked for. */
        if (n > 0) cut_off++;
        take_out(&free_list, c);
        connect_again(c);
        return;
    }
    int state = n > 0 ? take_answer(&c->answer, bytes, n) : -1;
    if (state < 0) give_up(c, &cut_off);
    else if (state > 0) finish(c);
}

static void connected(Connection *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        set_broken(c);
        return;
    }
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    set_free(c);
}

static void handle(Connection *c, uint32_t events) {
    if (c->state == CONNECTING) {
        connected(c);
    } else if (c->state == BUSY && events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        send_rest(c);
    } else if (c->state != BROKEN) {
        readable(c);
    }
}

static void schedule_next(void) {
    next_due_ns += (int64_t)(is_poisson ? -log(next_chance()) * gap_ns : gap_ns);
}

/* Send, or have wait, everything that is due by now. */
static void start_due(int64_t now) {
    while (next_due_ns <= now && next_due_ns < end_ns && due_count < REQUESTS_LIMIT) {
        due_count++;
        window_of(next_due_ns)->due++;
        if (free_list.first) {
            record(&lag, now_ns() - next_due_ns);
            start_request(free_list.first, next_due_ns);
        } else if (waiting_count < waiting_size) {
            waiting[(waiting_first + waiting_count++) % waiting_size] = next_due_ns;
        } else {
            unsent++;
        }
        schedule_next();
    }
}

static void expire(int64_t now) {
    while (waiting_count && now - waiting[waiting_first] > wait_ns) {
        waiting_first = (waiting_first + 1) % waiting_size;
        waiting_count--;
        unsent++;
    }
    while (busy_list.first && now - busy_list.first->due_ns > timeout_ns)
        give_up(busy_list.first, &timeouts);
    for (int i = 0; broken_count && i < connection_count; i++)
        if (connections[i].state == BROKEN && now >= connections[i].retry_ns) {
            broken_count--;
            begin_connecting(&connections[i]);
        }
}

static void run(void) {
    struct epoll_event ready[EVENTS_PER_TURN];
    for (;;) {
        int64_t now = now_ns();
        start_due(now);
        expire(now);
        int is_over = next_due_ns >= end_ns || due_count >= REQUESTS_LIMIT;
        if (is_over && !waiting_count && !in_flight) return;
        int64_t pause = is_over ? TURN_NS_MAX : next_due_ns - now_ns();
        if (pause > TURN_NS_MAX) pause = TURN_NS_MAX;
        if (pause < 0) pause = 0;
        struct timespec limit = {.tv_nsec = pause};
        int n = epoll_pwait2(poller, ready, EVENTS_PER_TURN, &limit, NULL);
        for (int i = 0; i < n; i++) handle(ready[i].data.ptr, ready[i].events);
    }
}

static void await_connections(void) {
    struct epoll_event ready[EVENTS_PER_TURN];
    int64_t give_up_ns = now_ns() + 10000 * MS;
    for (int i = 0; i < connection_count; i++) begin_connecting(&connections[i]);
    for (int i = 0; i < connection_count; i++)
        while (connections[i].state != FREE) {
            int n = epoll_wait(poller, ready, EVENTS_PER_TURN, 100);
            for (int j = 0; j < n; j++) handle(ready[j].data.ptr, ready[j].events);
            if (connect_errors || now_ns() > give_up_ns) die("no server listens at this address");
        }
}

static void report_windows(void) {
    int64_t count = (end_ns - started_ns + WINDOW_NS - 1) / WINDOW_NS;
    printf("\"window_ms\": %lld, \"windows\": [", WINDOW_NS / MS);
    for (int64_t i = 0; i < count; i++) {
        Window *w = &windows[i];
        printf("%s{\"due\": %lld, \"accepted\": %lld, \"refused\": %lld, \"other\": %lld, "
               "\"mean_us\": %lld, \"worst_us\": %lld}",
               i ? ", " : "", (long long)w->due, (long long)w->accepted, (long long)w->refused,
               (long long)w->other, (long long)(w->accepted ? w->sum_us / w->accepted : 0),
               (long long)w->worst_us);
    }
    printf("]");
}

static void report(double seconds) {
    const char *comma = "";
    printf("{\"due\": %lld, \"sent\": %lld, \"unsent\": %lld, \"seconds\": %.6f, ",
           (long long)due_count, (long long)sent_count, (long long)unsent, seconds);
    printf("\"connect_errors\": %lld, \"timeouts\": %lld, \"cut_off\": %lld, ",
           (long long)connect_errors, (long long)timeouts, (long long)cut_off);
    printf("\"accepted\": {\"count\": %llu, ", (unsigned long long)accepted.total);
    print_latencies(&accepted);
    printf("}, \"refused\": {\"count\": %llu, ", (unsigned long long)refused.total);
    print_latencies(&refused);
    printf("}, \"lag\": {\"count\": %llu, ", (unsigned long long)lag.total);
    print_latencies(&lag);
    printf("}, \"statuses\": {");
    for (int i = 0; i < STATUSES; i++)
        if (statuses[i]) {
            printf("%s\"%d\": %lld", comma, i, (long long)statuses[i]);
            comma = ", ";
        }
    printf("}, \"cpu_seconds\": %.4f, \"bytes\": %lld, ", cpu_seconds(), (long long)bytes_read);
    report_windows();
    printf("}\n");
}

static void set_up(char **argv) {
    int port = atoi(argv[2]);
    double seconds = atof(argv[4]), rate = atof(argv[5]);
    int timeout_ms = atoi(argv[8]), wait_ms = atoi(argv[9]);
    connection_count = atoi(argv[3]);
    is_poisson = !strcmp(argv[6], "poisson");
    chance = strtoull(argv[7], NULL, 10) | 1;
    if (port < 1 || port > 65535) die("no such port");
    if (connection_count < 1 || connection_count > CONNECTIONS_MAX) die("1 to 4096 connections");
    if (!(seconds > 0 && seconds <= SECONDS_MAX)) die("more than 0, at most 60 seconds");
    if (!(rate >= 1 && rate <= RATE_MAX)) die("1 to 500,000 requests per second");
    if (rate * seconds > REQUESTS_LIMIT) die("at most 10,000,000 requests");
    if (!is_poisson && strcmp(argv[6], "even")) die("the schedule is even or poisson");
    if (timeout_ms < 1 || timeout_ms > PATIENCE_MS_MAX) die("a timeout is 1 to 30,000 ms");
    if (wait_ms < 0 || wait_ms > PATIENCE_MS_MAX) die("a wait is 0 to 30,000 ms");
    parse_address(argv[1], port);
    read_requests(argv[10]);
    next_request = (uint32_t)(strtoull(argv[11], NULL, 10) % request_count);
    gap_ns = 1e9 / rate;
    timeout_ns = timeout_ms * MS;
    wait_ns = wait_ms * MS;
    waiting_size = (int64_t)(rate * wait_ms / 1000.0 * 1.5) + 64;
    waiting = calloc((size_t)waiting_size, sizeof *waiting);
    connections = calloc((size_t)connection_count, sizeof *connections);
    poller = epoll_create1(0);
    if (poller < 0 || !connections || !waiting) die("out of memory");
    end_ns = (int64_t)(seconds * 1e9);
}

int main(int argc, char **argv) {
    if (argc != 12)
        die("usage: offered ADDRESS PORT CONNECTIONS SECONDS RATE SCHEDULE SEED TIMEOUT_MS WAIT_MS"
            " FILE FIRST");
    set_up(argv);
    await_connections();
    nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
    started_ns = now_ns();
    end_ns += started_ns;
    next_due_ns = started_ns;
    schedule_next();
    run();
    report((double)(now_ns() - started_ns) / 1e9);
    return 0;
}
