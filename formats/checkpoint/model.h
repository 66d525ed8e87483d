/* model.h - find and open the components of a model among the paths given
 *
 * What     A component is a CLIP (text tower, image tower, or both) or a tokenizer.  Each comes from the first
 *          path that has it.  Priors, decoders and upsamplers are opened by unclip_model.h.
 *          Layouts, as in unclip(7): diffusers pipelines, Hugging Face CLIP directories (of both towers
 *          or of one), open_clip directories, single files.
 * Memory   Weights stay mapped read-only; tables and strings come from the arena.
 * Errors   A component that no path has: err names every place tried.
 */
#ifndef UNCLIP_MODEL_H
#define UNCLIP_MODEL_H

#include "formats/checkpoint/pack_cache.h"
#include "lib/image/prep.h"
#include "lib/net/clip.h"

struct model_paths {
    const char *const *v;
    size_t n;
    int activation;               /* --activation: an enum act, or -1 where it was not given */
    struct pack_cache *cache;     /* of packed weights, or NULL; model_bind_* and unclip_open_* use it */
};

struct clip_model {
    struct weights weights;
    struct clip_config config;
    struct prep prep;             /* when has_vision */
    const char *path;             /* the path of the list that had it, or the snapshot that this path stands for */
    const char *file;             /* the weights file, or the index of its shards */
    const char *about;            /* --info: what was recognised, and where each fact came from */
    char fingerprint[17];
    struct weights_file mapped;   /* give it to weights_forget after binding */
};

enum { MODEL_TEXT = 1, MODEL_VISION = 2 };

/* Open the CLIP tower(s) asked for.  A joint checkpoint gives both, whichever was asked for; towers
 * in files of their own are different checkpoints with a fingerprint each, so ask for one at a
 * time (both at once means: from one checkpoint).  A path that holds something else is passed
 * over, one that holds a broken CLIP is an error.  Opening reads headers and, for the fingerprint,
 * 64 elements of each tensor; no weight stays resident. */
int model_open_clip(struct clip_model *m, unsigned want, const struct model_paths *p, struct arena *a,
                    struct err *e);

/* Is a vector whose record names the fingerprint fp (n bytes) one of m's?
 *   The fingerprint of a file with both towers covers both and logit_scale; that of a tower's own file covers the
 *   tower.  When m has both towers, the fingerprints that each would have in a file of its own are known too (with
 *   logit_scale and without), so the answer is certain.  When m is one tower, a fingerprint that is not m's own may
 *   be that of the file which holds the other tower as well: then nothing can be told.
 *   Weights that were rounded twice on their way (f32 to f16 to bf16) can have another fingerprint, and count as
 *   another model's.  scratch: as for clip_fingerprint; too little of it gives ORIGIN_UNKNOWN. */
enum model_origin { ORIGIN_UNKNOWN, ORIGIN_SAME, ORIGIN_OTHER };

enum model_origin model_origin(const struct clip_model *m, const void *fp, size_t n, struct arena scratch);

/* clip_bind_text and clip_bind_vision through a cache of packed weights (NULL: without).  NULL and err on failure. */
struct clip_text *model_bind_text(struct clip_model *m, struct pack_cache *k, const struct compute *c, struct arena *a,
                                  struct err *e);
struct clip_vision *model_bind_vision(struct clip_model *m, struct pack_cache *k, const struct compute *c,
                                      struct arena *a, struct err *e);

/* Is the file one that OpenAI published, byte for byte?  *name: its name there ("ViT-L-14.pt").
 * -1 if not. */
int model_verify_sha256(const char *file, const char **name, struct err *e);

/* The files of a tokenizer: merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json, a vocab.json next to
 * merges.txt, and what names added and special tokens.  A path may be one of the first three itself: then no
 * other file is looked at. */
struct tok_files {
    const char *merges, *vocab, *tokenizer_json;            /* NULL where absent */
    const char *added_tokens, *config, *special_tokens;     /* added_tokens.json, tokenizer_config.json,
                                                               special_tokens_map.json */
    size_t context;                                         /* model_max_length, else 0 */
};

int model_find_tokenizer(struct tok_files *t, const struct model_paths *p, struct arena *a, struct err *e);

#endif
