/* Read added tokens from the JSON files that name them: bpe_read_added of bpe_files.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/bpe_files.h"
#include "formats/io/json_text.h"

struct added {
    struct bpe *b;
    struct bpe_added *v;
    size_t n, room;
    struct err *e;
};

enum {
    SPECIALS = 64,          /* room for the special tokens that a file names without an id */
    LIST_MAX = 1024,        /* most entries of a list of special tokens: each is compared with all added tokens */
};

static const char *const special_keys[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                                           "cls_token", "mask_token"};
static const char *const special_lists[] = {"additional_special_tokens", "extra_special_tokens"};

/* Return the text of a token, which is a string or the "content" of an object, or NULL for another value. */
static const char *content(const json_t *v) {
    return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
}

static struct bpe_added *find(struct added *s, const char *text) {
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].n == strlen(text) && !memcmp(s->v[i].text, text, s->v[i].n))
            return &s->v[i];
    return NULL;
}

/* jansson owns the text; bpe_add copies it. */
static int add(struct added *s, const char *text, json_int_t id, bool raw, bool special) {
    if (id < 0 || id > INT32_MAX)
        return err_set(s->e, "added token '%.80s' has the id %" JSON_INTEGER_FORMAT, text, id);
    if (s->n == s->room)
        return err_set(s->e, "more than %zu added tokens", s->room);
    s->v[s->n++] = (struct bpe_added){text, strlen(text), (uint32_t)id, raw, special};
    return 0;
}

/* Add the token {"content": ..., "normalized": ..., "special": ..., "single_word": ...}.  lstrip and rstrip are
 * ignored: they strip white space, which never becomes a token. */
static int add_object(struct added *s, const json_t *v, json_int_t id) {
    bool special = false, raw, normalized, single = false;
    const char *text = json_is_object(v) ? content(v) : NULL;

    if (!text)
        return err_set(s->e, "an added token has no content");
    if (json_get_bool(v, "special", &special, s->e) < 0)
        return -1;
    normalized = !special;
    if (json_get_bool(v, "normalized", &normalized, s->e) < 0 || json_get_bool(v, "single_word", &single, s->e) < 0)
        return -1;
    if (single)
        return err_set(s->e, "added token '%.80s' is a single_word, which is not supported", text);
    raw = !normalized;
    return add(s, text, id, raw, special);
}

/* Add the tokens of the list added_tokens of a tokenizer.json. */
static int from_tokenizer(struct added *s, const json_t *list) {
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v) {
        const json_t *id = json_object_get(v, "id");
        if (!json_is_integer(id))
            return err_set(s->e, "added token %zu has no content or no id", i + 1);
        if (add_object(s, v, json_integer_value(id)) < 0)
            return -1;
    }
    return 0;
}

/* Add the tokens of the added_tokens_decoder of a tokenizer_config.json, {"49408": {"content": ...}}. */
static int from_decoder(struct added *s, json_t *o) {
    const char *key;
    json_t *v;

    json_object_foreach(o, key, v) {
        char *end;
        long id = strtol(key, &end, 10);

        if (!*key || *end || id < 0 || id > INT32_MAX)
            return err_set(s->e, "added_tokens_decoder: '%.40s' is not an id", key);
        if (add_object(s, v, id) < 0)
            return -1;
    }
    return 0;
}

static bool is_special(const struct tok_texts *t, const char *text) {
    const json_t *const from[] = {t->config, t->special_tokens};

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof special_keys / sizeof *special_keys; i++) {
            const char *c = content(json_object_get(from[k], special_keys[i]));
            if (c && !strcmp(c, text))
                return true;
        }
        for (size_t i = 0; i < 2; i++) {
            const json_t *list = json_object_get(from[k], special_lists[i]), *v;
            size_t at;
            json_array_foreach(list, at, v)
                if (content(v) && !strcmp(content(v), text))
                    return true;
        }
    }
    return false;
}

/* Add the tokens of an added_tokens.json, {"<cat>": 49408}. */
static int from_added(struct added *s, const struct tok_texts *t) {
    const char *text;
    json_t *v;

    json_object_foreach(t->added_tokens, text, v) {
        bool special = is_special(t, text);

        if (!json_is_integer(v))
            return err_set(s->e, "added token '%.80s' has no id", text);
        if (add(s, text, json_integer_value(v), special, special) < 0)
            return -1;
    }
    return 0;
}

/* Add a special token that the merges gave an id; other special tokens are skipped. */
static int from_special(struct added *s, const json_t *v) {
    const char *text = content(v);
    uint32_t id;

    if (!text || find(s, text))
        return 0;
    id = bpe_find(s->b, text, strlen(text));
    return id == UINT32_MAX ? 0 : add(s, text, id, true, true);
}

static int from_specials(struct added *s, const json_t *o) {
    const json_t *v;
    size_t at;

    for (size_t i = 0; i < sizeof special_keys / sizeof *special_keys; i++)
        if (from_special(s, json_object_get(o, special_keys[i])) < 0)
            return -1;
    for (size_t i = 0; i < 2; i++)
        json_array_foreach(json_object_get(o, special_lists[i]), at, v)
            if (from_special(s, v) < 0)
                return -1;
    return 0;
}

static int check_lists(const json_t *o, struct err *e) {
    for (size_t i = 0; i < 2; i++)
        if (json_array_size(json_object_get(o, special_lists[i])) > LIST_MAX)
            return err_set(e, "%s has more than %d entries", special_lists[i], LIST_MAX);
    return 0;
}

int bpe_read_added(struct bpe *b, const struct tok_texts *t, struct arena *a, struct err *e) {
    json_t *decoder = json_object_get(t->config, "added_tokens_decoder");
    struct added s = {.b = b, .e = e};

    if (t->list && !json_is_array(t->list) && !json_is_null(t->list))
        return err_set(e, "added_tokens is not an array");
    if (decoder && !json_is_object(decoder))
        return err_set(e, "added_tokens_decoder is not an object");
    if (check_lists(t->config, e) < 0 || check_lists(t->special_tokens, e) < 0)
        return -1;
    s.room = json_array_size(t->list) + json_object_size(decoder) + json_object_size(t->added_tokens) + SPECIALS;
    if (s.room > BPE_ADDED_MAX)
        return err_set(e, "%zu added tokens are more than %d", s.room - SPECIALS, BPE_ADDED_MAX - SPECIALS);
    s.v = arena_take(a, s.room, sizeof *s.v);
    if (!s.v)
        return err_set(e, "no memory for added tokens");
    if (from_tokenizer(&s, t->list) < 0 || (decoder ? from_decoder(&s, decoder) : from_added(&s, t)) < 0 ||
        from_specials(&s, t->config) < 0 || (!decoder && from_specials(&s, t->special_tokens) < 0))
        return -1;
    return bpe_add(b, s.v, s.n, a, e);
}
