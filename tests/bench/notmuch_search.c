// The peer of the search benchmark: the newest 50 messages for each query on
// standard input, through libnotmuch. Prints nanoseconds and the number of hits.
#include <notmuch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

int main(int argc, char **argv) {
    notmuch_database_t *database = NULL;
    if (argc != 2 || notmuch_database_open_with_config(argv[1], NOTMUCH_DATABASE_MODE_READ_ONLY, "", NULL,
                                                       &database, NULL) != NOTMUCH_STATUS_SUCCESS) {
        fprintf(stderr, "usage: notmuch_search MAIL-FOLDER\n");
        return 1;
    }
    char line[1024];
    size_t read_bytes = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        long started = now();
        notmuch_query_t *query = notmuch_query_create(database, line);
        notmuch_query_set_sort(query, NOTMUCH_SORT_NEWEST_FIRST);
        notmuch_messages_t *messages = NULL;
        if (notmuch_query_search_messages(query, &messages) != NOTMUCH_STATUS_SUCCESS) return 1;
        int hits = 0;
        for (; notmuch_messages_valid(messages) && hits < 50; notmuch_messages_move_to_next(messages), hits++) {
            notmuch_message_t *message = notmuch_messages_get(messages);
            // What a list shows: who, what about, when.
            read_bytes += strlen(notmuch_message_get_header(message, "from"));
            read_bytes += strlen(notmuch_message_get_header(message, "subject"));
            read_bytes += (size_t)notmuch_message_get_date(message) & 1;
            notmuch_message_destroy(message);
        }
        notmuch_query_destroy(query);
        printf("%ld %d\n", now() - started, hits);
        fflush(stdout);
    }
    notmuch_database_destroy(database);
    return read_bytes == 0;
}
