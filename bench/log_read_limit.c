/* What a C client reads: two requests under way, payloads counted, nothing decoded.
 *
 * Usage: log_read_limit URL USER PASSWORD STREAM EVENTS. Prints one line of JSON.
 * Build: cc -O2 log_read_limit.c -lnats (Debian: apt install libnats-dev).
 */
#define _GNU_SOURCE
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BATCH 2000
#define TRY(call)                                                     \
    do {                                                              \
        natsStatus status_ = (call);                                  \
        if (status_ != NATS_OK) {                                     \
            fprintf(stderr, "%s: %s\n", #call, natsStatus_GetText(status_)); \
            exit(1);                                                  \
        }                                                             \
    } while (0)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu(const struct rusage *u)
{
    return u->ru_utime.tv_sec + u->ru_stime.tv_sec +
           (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

/* The sixth part of $JS.ACK.stream.consumer.deliveries.number... */
static long long number_of(const char *reply)
{
    for (int dots = 0; *reply; reply++)
        if (*reply == '.' && ++dots == 5)
            return atoll(reply + 1);
    return -1;
}

static long peak_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s URL USER PASSWORD STREAM EVENTS\n", argv[0]);
        return 2;
    }
    const char *stream = argv[4];
    long long wanted = atoll(argv[5]), got = 0, asked = 0;
    char name[32], subject[256], body[512], next[256];
    const char *pull = "{\"batch\":2000,\"expires\":20000000000}";
    natsOptions *options = NULL;
    natsConnection *nc = NULL;
    natsSubscription *sub = NULL;
    natsInbox *inbox = NULL;
    natsMsg *msg = NULL;
    struct rusage before, after;

    TRY(natsOptions_Create(&options));
    TRY(natsOptions_SetURL(options, argv[1]));
    TRY(natsOptions_SetUserInfo(options, argv[2], argv[3]));
    TRY(natsConnection_Connect(&nc, options));
    TRY(natsInbox_Create(&inbox));
    TRY(natsConnection_SubscribeSync(&sub, nc, inbox));
    TRY(natsSubscription_SetPendingLimits(sub, -1, -1));

    getrusage(RUSAGE_SELF, &before);
    double start = now();
    snprintf(name, sizeof name, "limit-%ld", (long)getpid());
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.%s.%s", stream, name);
    snprintf(next, sizeof next, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", stream, name);
    snprintf(body, sizeof body,
             "{\"stream_name\":\"%s\",\"config\":{\"name\":\"%s\",\"ack_policy\":\"none\","
             "\"deliver_policy\":\"all\",\"mem_storage\":true,"
             "\"inactive_threshold\":10000000000}}",
             stream, name);
    TRY(natsConnection_RequestString(&msg, nc, subject, body, 5000));
    if (strstr(natsMsg_GetData(msg), "\"error\"")) {
        fprintf(stderr, "%s\n", natsMsg_GetData(msg));
        return 1;
    }
    natsMsg_Destroy(msg);
    while (got < wanted) {
        for (; asked < got + BATCH * 2 && asked < wanted; asked += BATCH)
            TRY(natsConnection_PublishRequestString(nc, next, inbox, pull));
        TRY(natsSubscription_NextMsg(&msg, sub, 20000));
        const char *reply = natsMsg_GetReply(msg);
        if (reply && number_of(reply) != ++got) {
            fprintf(stderr, "event %lld is missing\n", got);
            return 1;
        }
        natsMsg_Destroy(msg);
    }
    double seconds = now() - start;
    getrusage(RUSAGE_SELF, &after);
    printf("{\"events\":%lld,\"seconds\":%.6f,\"cpu_s\":%.6f,\"peak_mib\":%.1f}\n", got, seconds,
           cpu(&after) - cpu(&before), peak_kib() / 1024.0);
    natsSubscription_Destroy(sub);
    natsInbox_Destroy(inbox);
    natsConnection_Destroy(nc);
    natsOptions_Destroy(options);
    nats_Close();
    return 0;
}
