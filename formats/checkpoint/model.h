/* model.h - find and open the components of a model among the paths that the user gave
 *
 * What     A component is a CLIP (text tower, image tower, or both) or a tokenizer.  Each component comes from the
 *          first path that has it.  unclip_model.h opens priors, decoders and upsamplers.
 *          Layouts, as in unclip(7): diffusers pipelines, Hugging Face CLIP directories (of both towers
 *          or of one), open_clip directories, single files.
 * Memory   Weights stay mapped read-only; tables and strings come from the arena.
 * Errors   The functions return -1.  If no path has the component, err names every path and what the path lacks; other
 *          errors name the file.
 */
#ifndef UNCLIP_MODEL_H
#define UNCLIP_MODEL_H

#include "formats/checkpoint/pack_cache.h"
#include "lib/base/span.h"
#include "lib/image/prep.h"
#include "lib/net/clip.h"

/* What the caller knows of the machine, and wants to be told.  Each member may be NULL. */
struct model_host {
    void (*found)(void *of, const char *what, const char *path);    /* called when a path has `what` ("text tower") */
    const char *(*vocabulary)(void *of, struct arena *a);    /* returns the path of OpenAI's vocabulary, for weights that
                                                                come without a vocabulary; or NULL */
    const char *hub;              /* the Hugging Face cache in which the caller looked for names like "openai/NAME" */
    const char *builtin;          /* the name that stands for the caller's own model, as NAME/PART for parts of it; or NULL */
    void *of;
};

struct model_paths {
    const char *const *v;
    size_t n;
    int activation;               /* --activation: an enum act, or -1 if it was not given */
    struct pack_cache *cache;     /* the cache of packed weights, or NULL; the functions that bind a network use it */
    const struct model_host *host;    /* or NULL */
};

struct clip_model {
    struct weights weights;
    struct clip_config config;
    struct prep prep;             /* set if config.has_vision */
    const char *path;             /* the path that has the CLIP, or the snapshot that this path stands for */
    const char *file;             /* the weights file, or the index of its shards */
    const char *about;            /* the text of --info: what was recognised, and where each fact came from */
    char fingerprint[17];
    struct weights_file mapped;   /* the caller gives this to weights_forget after binding */
};

enum { MODEL_TEXT = 1, MODEL_VISION = 2 };

/* Open a CLIP that has the towers in `want`.  A checkpoint with both towers gives both, even if `want` is one tower.
 * Towers in files of their own are two checkpoints, each with a fingerprint, so the caller opens them one by one;
 * MODEL_TEXT | MODEL_VISION finds only a checkpoint with both towers.  A path that holds something else is skipped.  A
 * path that holds a broken CLIP is an error.  Opening reads headers and, for the fingerprint, 64 elements of each
 * tensor; no weight stays resident. */
int model_open_clip(struct clip_model *m, unsigned want, const struct model_paths *p, struct arena *a,
                    struct err *e);

/* Tells whether fp is the fingerprint of a CLIP that has the towers of `text` and `vision`, or one of them.  text and
 * vision are the towers of a pipeline.  A tower that the pipeline lacks is NULL.  If one checkpoint has both towers,
 * text and vision are equal.
 *   A fingerprint covers what its file holds, which is one tower or both, with logit_scale or without it.  So the
 *   fingerprints of all these files are computed.  logit_scale is the logarithm of the scale that the record names, or
 *   NULL.
 *   The answer is ORIGIN_UNKNOWN if fp differs from all these fingerprints and the pipeline lacks a tower, because the
 *   file of fp may hold that tower.  It is also ORIGIN_UNKNOWN if scratch (as for clip_fingerprint) is too small.
 *   Weights that were rounded twice (f32 to f16 to bf16) can have another fingerprint, and then count as another model's. */
enum model_origin { ORIGIN_UNKNOWN, ORIGIN_SAME, ORIGIN_OTHER };

enum model_origin model_origin(const struct clip_model *text, const struct clip_model *vision, struct span fp,
                               const float *logit_scale, struct arena scratch);

/* Call clip_bind_text and clip_bind_vision, through the cache k of packed weights, or without a cache if k is NULL.
 * Return NULL and set err on failure. */
struct clip_text *model_bind_text(struct clip_model *m, struct pack_cache *k, const struct compute *c, struct arena *a,
                                  struct err *e);
struct clip_vision *model_bind_vision(struct clip_model *m, struct pack_cache *k, const struct compute *c,
                                      struct arena *a, struct err *e);

/* Checks whether the file is byte for byte a file that OpenAI published.  If it is, returns 0 and sets *name to its
 * published name ("ViT-L-14.pt").  Else returns -1, and err has the SHA-256 of the file. */
int model_verify_sha256(const char *file, const char **name, struct err *e);

/* The files of a tokenizer: merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json; a vocab.json next to
 * merges.txt; and the files that name added and special tokens.  If a path is one of the first three files, no other
 * file is looked at. */
struct tok_files {
    const char *merges, *vocab, *tokenizer_json;            /* NULL if absent */
    const char *added_tokens, *config, *special_tokens;     /* added_tokens.json, tokenizer_config.json,
                                                               special_tokens_map.json */
    size_t context;                                         /* the model's limit of tokens, 0 if no file says it */
};

/* Finds the files of the tokenizer.  If the paths have weights, and no path has a tokenizer, takes the host's
 * vocabulary. */
int model_find_tokenizer(struct tok_files *t, const struct model_paths *p, struct arena *a, struct err *e);

#endif
