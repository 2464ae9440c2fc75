/*
 * A load client of the realtime socket: many connections that behave as the official SDK's do,
 * and count their notifications.
 *
 * One thread around epoll, so that on a two-core machine the server under test keeps a
 * whole core. It knows as little of the protocol as it can: a connection sends its prepared frames,
 * each after the reply to the one before, acknowledges any frame except a reply, and takes a
 * notification of a realtime object as one delivery. Messages reach a connection in order, so
 * the n-th received message is the n-th that was sent: that gives each delivery its time.
 *
 *   sockets PORT SCRIPTS TRIGGER
 *
 * SCRIPTS holds for each connection a 4-byte count and then its frames, each a 4-byte
 * little-endian length and its bytes. TRIGGER holds what makes the server notify all: one
 * letter, then prepared requests in the same form, used in turn. H: HTTP requests on a
 * separate connection. S: frames that the last connection sends; it then is the sender, and
 * its own deliveries are not counted.
 *
 * Commands come on standard input, one a line; each answers one JSON object on a line:
 *
 *   connect N TIGHT          open connections up to N; the first TIGHT with small buffers
 *   stall N                  the first N stop reading, for good
 *   fanout COUNT FRAMES      COUNT messages one after another, each FRAMES frames to all
 *   rate PER_SECOND SECONDS  messages at fixed times, regardless of earlier ones
 *   quit
 */
#include "connections.h"

static const char UPGRADE[] =
    "GET /v3/wsconnect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void open_more(void) {
    while (opened < wanted && opening < OPENING_MAX) {
        Socket *s = &sockets[opened];
        connect_to(s, opened < tight);
        s->phase = UPGRADING;
        opened++;
        opening++;
        append(&s->out, UPGRADE, sizeof UPGRADE - 1);
        flush(s);
    }
}

/* Messages that are due wait here until the one before is answered, as with a real sender. */
static void pull_triggers(void) {
    while (triggers_waiting && !trigger_busy) {
        const Chunk *next = &triggers[trigger_next++ % trigger_count];
        triggers_waiting--;
        trigger_busy = 1;
        if (trigger_is_frame) {
            send_frame(&sockets[wanted - 1], 2, next->bytes, next->length);
        } else {
            if (trigger_socket.phase != READY) {
                connect_to(&trigger_socket, 0);
                trigger_socket.phase = READY;
            }
            append(&trigger_socket.out, next->bytes, next->length);
            flush(&trigger_socket);
        }
    }
}

static void send_message(int64_t due_ns) {
    if (messages_sent == MESSAGES_MAX) die("too many messages");
    sent_ns[messages_sent++] = due_ns;
    triggers_waiting++;
    pull_triggers();
}

/* Serves all connections until something happened, or until the time. */
static void serve(int64_t until_ns) {
    struct epoll_event events[256];
    int64_t left = until_ns - now_ns();
    /* Below a millisecond it asks again and again: a message must not be late. */
    int wait_ms = left > 0 ? (int)(left / 1000000) : 0;
    int n = epoll_wait(poll_fd, events, 256, wait_ms);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
        Socket *s = events[i].data.ptr;
        if (!s) {
            command_waits = 1;
            continue;
        }
        if (s->phase == CLOSED) continue;
        if (s->phase == STALLED) {
            if (events[i].events & (EPOLLHUP | EPOLLERR)) closed(s);
            continue;
        }
        if (events[i].events & EPOLLOUT) {
            watch(s, EPOLL_CTL_MOD, EPOLLIN);
            flush(s);
        }
        if (s->phase != CLOSED && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_from(s);
    }
    open_more();
    pull_triggers();
}

static uint32_t listeners(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < wanted; i++)
        count += sockets[i].phase == READY && !is_sender(&sockets[i]);
    return count;
}

static int by_value(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static uint32_t percentile(uint32_t *values, size_t count, double share) {
    if (!count) return 0;
    qsort(values, count, sizeof *values, by_value);
    size_t at = (size_t)(share * (double)count);
    return values[at < count ? at : count - 1];
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void begin(void) {
    /* Earlier messages of each connection are discarded: this measurement counts from zero. */
    messages_sent = 0;
    latency_count = 0;
    frames_seen = message_frames_seen = bytes_seen = refusals = 0;
    for (uint32_t i = 0; i < wanted; i++) sockets[i].messages = 0;
}

static void report(double seconds, double cpu, uint32_t *last_us, size_t last_count) {
    uint32_t count = listeners();
    printf("{\"listeners\":%u,\"seconds\":%.6f,\"messages\":%u,\"frames\":%llu,"
           "\"message_frames\":%llu,\"bytes\":%llu,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,"
           "\"last_p50_us\":%u,\"last_p99_us\":%u,\"cpu_seconds\":%.4f,\"refusals\":%llu,"
           "\"healthy_closed\":%u,\"stalled_closed\":%u}\n",
           count, seconds, messages_sent, (unsigned long long)frames_seen,
           (unsigned long long)message_frames_seen, (unsigned long long)bytes_seen,
           percentile(latencies_us, latency_count, 0.5),
           percentile(latencies_us, latency_count, 0.99),
           percentile(latencies_us, latency_count, 1.0), percentile(last_us, last_count, 0.5),
           percentile(last_us, last_count, 0.99), cpu_seconds() - cpu,
           (unsigned long long)refusals, healthy_closed, stalled_closed);
    fflush(stdout);
}

static void run_connect(uint32_t count, uint32_t tight_count) {
    if (count > scripts) die("there are not as many scripts");
    int64_t from = now_ns(), limit = from + 20 * STALL_LIMIT_NS;
    double cpu = cpu_seconds();
    if (count > wanted) wanted = count;
    tight = tight_count;
    open_more();
    while ((opened < wanted || opening) && now_ns() < limit) serve(now_ns() + SECOND_NS);
    if (opening || ready + healthy_closed < wanted) die("not every connection was opened");
    report((double)(now_ns() - from) / 1e9, cpu, NULL, 0);
}

static void run_stall(uint32_t count) {
    for (uint32_t i = 0; i < count && i < wanted; i++)
        if (sockets[i].phase == READY) {
            sockets[i].phase = STALLED;
            watch(&sockets[i], EPOLL_CTL_MOD, 0);
        }
    report(0, cpu_seconds(), NULL, 0);
}

static void run_fanout(uint32_t count, uint32_t frames) {
    begin();
    static uint32_t last_us[MESSAGES_MAX];
    double cpu = cpu_seconds();
    int64_t from = now_ns();
    uint32_t listener_count = listeners();
    for (uint32_t done = 0; done < count; done++) {
        int64_t at = now_ns(), last = 0;
        uint64_t messages = message_frames_seen + listener_count, all = frames_seen + (uint64_t)listener_count * frames;
        send_message(at);
        while (frames_seen < all || message_frames_seen < messages || trigger_busy) {
            serve(now_ns() + SECOND_NS);
            if (!last && message_frames_seen >= messages) last = now_ns() - at;
            if (now_ns() - at > STALL_LIMIT_NS) die("a message did not reach every connection");
        }
        last_us[done] = (uint32_t)((last ? last : now_ns() - at) / 1000);
    }
    report((double)(now_ns() - from) / 1e9, cpu, last_us, count);
}

static void run_rate(double per_second, double seconds) {
    begin();
    double cpu = cpu_seconds();
    int64_t from = now_ns(), step = (int64_t)(1e9 / per_second);
    uint32_t count = (uint32_t)(per_second * seconds);
    for (uint32_t i = 0; i < count; i++) {
        int64_t due = from + (int64_t)i * step;
        while (now_ns() < due) serve(due);
        send_message(due);
    }
    int64_t limit = now_ns() + STALL_LIMIT_NS;
    while (now_ns() < limit &&
           (message_frames_seen < (uint64_t)count * listeners() || triggers_waiting || trigger_busy))
        serve(now_ns() + SECOND_NS / 10);
    report((double)(now_ns() - from) / 1e9, cpu, NULL, 0);
}

static char *whole_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    if (size < 0 || size > FILE_BYTES_MAX) die("a file is too large");
    rewind(file);
    char *bytes = malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) die(path);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

static uint32_t number_at(const char **at, const char *end) {
    uint32_t value;
    if (end - *at < 4) die("a file is cut short");
    memcpy(&value, *at, 4);
    *at += 4;
    return value;
}

static Chunk chunk_at(const char **at, const char *end) {
    Chunk found = {.length = number_at(at, end)};
    if (end - *at < (ptrdiff_t)found.length) die("a file is cut short");
    found.bytes = *at;
    *at += found.length;
    return found;
}

static void read_files(const char *scripts_path, const char *trigger_path) {
    size_t length;
    const char *at = whole_file(scripts_path, &length), *end = at + length;
    while (at < end && scripts < SOCKETS_MAX) {
        Socket *s = &sockets[scripts++];
        s->script_length = number_at(&at, end);
        Chunk *script = calloc(s->script_length + 1, sizeof *script);
        if (!script) die("memory");
        for (uint32_t i = 0; i < s->script_length; i++) script[i] = chunk_at(&at, end);
        s->script = script;
    }
    at = whole_file(trigger_path, &length);
    end = at + length;
    if (at == end) die("there is nothing to send");
    trigger_is_frame = *at++ == 'S';
    triggers = calloc(length / 4 + 1, sizeof *triggers);
    if (!triggers) die("memory");
    while (at < end) triggers[trigger_count++] = chunk_at(&at, end);
    if (!trigger_count) die("there is nothing to send");
}

static int run_command(void) {
    char line[COMMAND_BYTES];
    unsigned one, other;
    double per_second, seconds;
    /* The other side sends one line and waits for the response: there is never more to read. */
    ssize_t n = read(0, line, sizeof line - 1);
    if (n <= 0) return 0;
    line[n] = 0;
    command_waits = 0;
    if (sscanf(line, "connect %u %u", &one, &other) == 2) run_connect(one, other);
    else if (sscanf(line, "stall %u", &one) == 1) run_stall(one);
    else if (sscanf(line, "fanout %u %u", &one, &other) == 2) run_fanout(one, other);
    else if (sscanf(line, "rate %lf %lf", &per_second, &seconds) == 2) run_rate(per_second, seconds);
    else return 0;
    return 1;
}

int main(int count, char **arguments) {
    if (count != 4) die("sockets PORT SCRIPTS TRIGGER");
    port = atoi(arguments[1]);
    poll_fd = epoll_create1(0);
    latencies_us = malloc(sizeof *latencies_us * DELIVERIES_MAX);
    if (poll_fd < 0 || !latencies_us) die("start");
    read_files(arguments[2], arguments[3]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &event)) die("standard input");
    for (;;) {
        while (!command_waits) serve(now_ns() + SECOND_NS);
        if (!run_command()) return 0;
    }
}
