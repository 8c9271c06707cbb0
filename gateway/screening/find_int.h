/* find_int.h - the room a lookup works in. */
#ifndef SCREENING_FIND_INT_H
#define SCREENING_FIND_INT_H

#include "screening/match_int.h"

struct found_word {
    uint32_t word, likeness;
};
struct name_mark {
    uint32_t found;  /* weight of words asked for that this name has */
    uint16_t latest; /* of which by the word that is looked up now */
    uint8_t by;      /* number of that word plus one; 0: not touched */
    bool joined;     /* by words written together or apart */
};

/* All arrays are zeroed between lookups. */
struct find_room {
    uint8_t *shared;         /* of a word: how many groups it shares; FIND_SEEN: was compared */
    uint32_t *words;         /* that are not zero in `shared` */
    struct found_word *like; /* words like the one that is looked up */
    uint8_t *asked;          /* of a word: 1 when a word asked for is like it */
    uint32_t *asked_words;   /* that are not zero in `asked` */
    struct name_mark *marks; /* of a name */
    uint32_t *names;         /* that are marked */
};

/* NO_MEMORY, then nothing is held. */
enum status find_room_open(struct find_room *room, const struct book *book);
void find_room_close(struct find_room *room);

size_t find_names(const struct book *book, const struct index *index, struct find_room *room,
                  const struct screening_query *query, uint32_t lists,
                  const char *const *list_names, struct screening_hit hits[SCREENING_HITS_MAX],
                  uint32_t *best);

#endif
