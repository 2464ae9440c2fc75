/*
 * The connections of sockets.c: WebSocket and the frames in it, taken apart only as far as a
 * load client must.
 */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
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
    SOCKETS_MAX = 20000,
    MESSAGES_MAX = 100000,
    DELIVERIES_MAX = 20000000,
    OPENING_MAX = 32,
    FILE_BYTES_MAX = 256 << 20,
    FRAME_BYTES_MAX = 64 << 20,
    READ_BYTES = 262144,
    TIGHT_BYTES = 4096,
    COMMAND_BYTES = 256
};
#define SECOND_NS 1000000000LL
#define STALL_LIMIT_NS (30 * SECOND_NS)

typedef struct {
    char *bytes;
    size_t length, room;
} Bytes;

typedef struct {
    const char *bytes;
    uint32_t length;
} Chunk;

typedef enum { UNUSED, UPGRADING, SCRIPTED, READY, STALLED, CLOSED } Phase;

typedef struct {
    int fd;
    Phase phase;
    const Chunk *script;
    uint32_t script_length, scripted;
    Bytes in, out;
    uint32_t messages;
} Socket;

static Socket sockets[SOCKETS_MAX], trigger_socket;
static int poll_fd, port;
static uint32_t scripts, opened, opening, ready, wanted, tight, healthy_closed, stalled_closed;
static Chunk *triggers;
static uint32_t trigger_count, trigger_next, triggers_waiting;
static int trigger_is_frame, trigger_busy;
static int64_t sent_ns[MESSAGES_MAX];
static uint32_t messages_sent;
static uint64_t frames_seen, message_frames_seen, bytes_seen, refusals;
static uint32_t *latencies_us;
static size_t latency_count;
static int command_waits;
static char shared[READ_BYTES];

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void append(Bytes *to, const void *bytes, size_t length) {
    if (to->length + length > to->room) {
        to->room = (to->length + length) * 2;
        if (to->room > 2 * (size_t)FRAME_BYTES_MAX) die("a buffer is too large");
        to->bytes = realloc(to->bytes, to->room);
        if (!to->bytes) die("memory");
    }
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void drop_front(Bytes *of, size_t length) {
    of->length -= length;
    if (of->length) {
        memmove(of->bytes, of->bytes + length, of->length);
    } else {
        /* Thousands of idle connections keep no buffers. */
        free(of->bytes);
        memset(of, 0, sizeof *of);
    }
}

static void watch(Socket *s, int how, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = s};
    if (epoll_ctl(poll_fd, how, s->fd, &event)) die("epoll_ctl");
}

static void closed(Socket *s) {
    if (s->phase == CLOSED) return;
    if (s == &trigger_socket) {
        /* A server may end a connection that was idle; the next message opens another. */
        if (trigger_busy) die("the server closed the connection of the requests");
    } else if (s->phase == STALLED) {
        stalled_closed++;
    } else {
        healthy_closed++;
    }
    if (s->phase == UPGRADING || s->phase == SCRIPTED) opening--;
    close(s->fd);
    s->phase = CLOSED;
    drop_front(&s->in, s->in.length);
    drop_front(&s->out, s->out.length);
}

static void flush(Socket *s) {
    while (s->out.length) {
        ssize_t n = send(s->fd, s->out.bytes, s->out.length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) {
            closed(s);
            return;
        }
        drop_front(&s->out, (size_t)n);
    }
}

/* One WebSocket message. Clients must mask; the mask of zeros changes nothing. */
static void send_frame(Socket *s, int opcode, const char *bytes, size_t length) {
    unsigned char head[14] = {(unsigned char)(0x80 | opcode)};
    size_t size = 2;
    if (length < 126) {
        head[1] = (unsigned char)(0x80 | length);
    } else if (length < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(length >> 8);
        head[3] = (unsigned char)length;
        size = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) head[2 + i] = (unsigned char)((uint64_t)length >> (56 - 8 * i));
        size = 10;
    }
    append(&s->out, head, size + 4);
    append(&s->out, bytes, length);
    flush(s);
}

static void acknowledge(Socket *s, const char *id, size_t id_length) {
    char header[512], frame[640];
    int h = snprintf(header, sizeof header,
                     "{\"method\":\"reply\",\"id\":\"%.*s\",\"payload_type\":\"application/json\","
                     "\"status\":{\"code\":200,\"status\":\"OK\"},\"payload_size\":0}",
                     (int)id_length, id);
    int f = snprintf(frame, sizeof frame, "TWILSOCK V3.0 %d\r\n%s\r\n", h, header);
    send_frame(s, 2, frame, (size_t)f);
}

static void script_on(Socket *s) {
    if (s->scripted < s->script_length) {
        const Chunk *next = &s->script[s->scripted++];
        send_frame(s, 2, next->bytes, next->length);
    } else {
        s->phase = READY;
        opening--;
        ready++;
    }
}

/* The value of a text field of the header: as long as it holds no escapes, which ids never do. */
static const char *field(const char *header, size_t length, const char *name, size_t *size) {
    const char *at = memmem(header, length, name, strlen(name));
    if (!at) return NULL;
    at += strlen(name);
    const char *end = memchr(at, '"', (size_t)(header + length - at));
    if (!end) return NULL;
    *size = (size_t)(end - at);
    return at;
}

static int is_sender(const Socket *s) {
    return trigger_is_frame && s == &sockets[wanted - 1];
}

static void delivered(Socket *s, int is_message) {
    frames_seen++;
    if (!is_message) return;
    message_frames_seen++;
    uint32_t number = s->messages++;
    if (number < messages_sent && latency_count < DELIVERIES_MAX)
        latencies_us[latency_count++] = (uint32_t)((now_ns() - sent_ns[number]) / 1000);
}

static void replied(Socket *s, const char *header, size_t length) {
    /* Whatever is not 200 here, or in the tunnelled request's status, spoils the run. */
    size_t good = 0;
    for (const char *at = header; (at = memmem(at, (size_t)(header + length - at), "\"code\":2", 8)); at++)
        good++;
    size_t statuses = memmem(header, length, "\"http_status\"", 13) ? 2 : 1;
    if (good < statuses) {
        refusals++;
        if (refusals == 1) fprintf(stderr, "refused: %.*s\n", (int)length, header);
    }
    if (s->phase == SCRIPTED) script_on(s);
    else if (is_sender(s)) trigger_busy = 0;
}

static void twilsock(Socket *s, const char *bytes, size_t length) {
    const char *line = memmem(bytes, length < 40 ? length : 40, "\r\n", 2);
    size_t header_length = length > 14 ? strtoul(bytes + 14, NULL, 10) : 0, size = 0;
    if (!line || (size_t)(line + 2 - bytes) + header_length > length) die("a frame is cut short");
    const char *header = line + 2, *method = field(header, header_length, "\"method\":\"", &size);
    if (!method) die("a frame has no method");
    if (size == 5 && !memcmp(method, "reply", 5)) {
        replied(s, header, header_length);
        return;
    }
    const char *id = field(header, header_length, "\"id\":\"", &size);
    if (!id) die("a frame has no id");
    acknowledge(s, id, size);
    if (s->phase != READY || is_sender(s)) return;
    if (memmem(header, header_length, "com.twilio.rtd.cds.", 19))
        delivered(s, memmem(header, header_length, "rtd.cds.list", 12) != NULL);
}

/* Takes one whole WebSocket message off the front; returns how many bytes it had, or 0. */
static size_t websocket(Socket *s, const unsigned char *bytes, size_t length) {
    if (length < 2) return 0;
    size_t head = 2, size = bytes[1] & 0x7f;
    if (bytes[1] & 0x80) die("a server must not mask");
    if (size == 126) {
        head = 4;
        if (length < head) return 0;
        size = (size_t)bytes[2] << 8 | bytes[3];
    } else if (size == 127) {
        head = 10;
        if (length < head) return 0;
        size = 0;
        for (int i = 0; i < 8; i++) size = size << 8 | bytes[2 + i];
    }
    if (size > FRAME_BYTES_MAX) die("a message is too large");
    if (length < head + size) return 0;
    const char *payload = (const char *)bytes + head;
    switch (bytes[0]) {
    case 0x82: twilsock(s, payload, size); break;
    case 0x89: send_frame(s, 10, payload, size); break;
    case 0x8a: break;
    case 0x88: closed(s); break;
    default: die("a message is in pieces, or is no binary one");
    }
    return head + size;
}

/* The end of a whole HTTP answer at the front, or 0 if more must come. */
static size_t http_answer(const char *bytes, size_t length) {
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end + 4 - bytes), body = 0;
    for (const char *at = bytes; at < end; at = strstr(at, "\r\n") + 2)
        if (!strncasecmp(at, "content-length:", 15)) body = strtoul(at + 15, NULL, 10);
    return length < head + body ? 0 : head + body;
}

static size_t take_one(Socket *s, const char *bytes, size_t length) {
    if (s != &trigger_socket && s->phase != UPGRADING)
        return websocket(s, (const unsigned char *)bytes, length);
    size_t taken = http_answer(bytes, length);
    if (!taken) return 0;
    if (s == &trigger_socket) {
        if (memcmp(bytes, "HTTP/1.1 2", 10)) refusals++;
        trigger_busy = 0;
    } else {
        if (memcmp(bytes, "HTTP/1.1 101", 12)) die("the server did not upgrade the connection");
        s->phase = SCRIPTED;
        script_on(s);
    }
    return taken;
}

static void take(Socket *s, const char *bytes, size_t length) {
    bytes_seen += length;
    size_t before = s->in.length;
    if (before) {
        append(&s->in, bytes, length);
        bytes = s->in.bytes;
        length = s->in.length;
    }
    size_t used = 0, taken;
    while (s->phase != CLOSED && used < length && (taken = take_one(s, bytes + used, length - used)))
        used += taken;
    if (s->phase == CLOSED) return;
    if (before) drop_front(&s->in, used);
    else if (used < length) append(&s->in, bytes + used, length - used);
}

static void read_from(Socket *s) {
    while (s->phase != CLOSED) {
        ssize_t n = recv(s->fd, shared, sizeof shared, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            closed(s);
            return;
        }
        take(s, shared, (size_t)n);
        if ((size_t)n < sizeof shared) return;
    }
}

static void connect_to(Socket *s, int is_tight) {
    int one = 1, small = TIGHT_BYTES;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0) die("socket");
    if (is_tight) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    if (fcntl(s->fd, F_SETFL, O_NONBLOCK)) die("fcntl");
    watch(s, EPOLL_CTL_ADD, EPOLLIN);
}

#endif
