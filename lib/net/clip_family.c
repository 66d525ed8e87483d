#include "lib/net/clip_family.h"

#include <stddef.h>

static const struct resnet_names openai_resnet = {
    .prefix = "visual.",
    .conv = "conv",
    .bn = "bn",
    .stage = "layer",
    .shortcut = "downsample.0",
    .shortcut_bn = "downsample.1",
    .position = "attnpool.positional_embedding",
    .q = "attnpool.q_proj",
    .k = "attnpool.k_proj",
    .v = "attnpool.v_proj",
    .c = "attnpool.c_proj",
};

static const struct clip_family openai = {
    .name = "OpenAI's",
    .layer = {.ln1 = "ln_1", .fused = "attn.in_proj", .out = "attn.out_proj", .ln2 = "ln_2",
              .fc = "mlp.c_fc", .proj = "mlp.c_proj"},
    .text = {.token = "token_embedding.weight",
             .position = "positional_embedding",
             .layers = "transformer.resblocks.",
             .ln_final = "ln_final",
             .projection = "text_projection"},
    .vision = {.class_token = "visual.class_embedding",
               .patch = "visual.conv1.weight",
               .position = "visual.positional_embedding",
               .ln_pre = "visual.ln_pre",
               .layers = "visual.transformer.resblocks.",
               .ln_post = "visual.ln_post",
               .projection = "visual.proj"},
    .resnet = &openai_resnet,
    .transposed = true,
    .inner = "text.",                       /* in files of open_clip's CustomTextCLIP */
    .linear = "text_projection.weight",     /* in files of CustomTextCLIP */
};

static const struct clip_family hf = {
    .name = "Hugging Face's",
    .layer = {.ln1 = "layer_norm1", .q = "self_attn.q_proj", .k = "self_attn.k_proj",
              .v = "self_attn.v_proj", .out = "self_attn.out_proj", .ln2 = "layer_norm2",
              .fc = "mlp.fc1", .proj = "mlp.fc2"},
    .text = {.token = "text_model.embeddings.token_embedding.weight",
             .position = "text_model.embeddings.position_embedding.weight",
             .layers = "text_model.encoder.layers.",
             .ln_final = "text_model.final_layer_norm",
             .projection = "text_projection.weight"},
    .vision = {.class_token = "vision_model.embeddings.class_embedding",
               .patch = "vision_model.embeddings.patch_embedding.weight",
               .position = "vision_model.embeddings.position_embedding.weight",
               .ln_pre = "vision_model.pre_layrnorm",    /* "layrnorm" is spelled so in the files */
               .layers = "vision_model.encoder.layers.",
               .ln_post = "vision_model.post_layernorm",
               .projection = "visual_projection.weight"},
};

const struct clip_family *const clip_families[] = {&openai, &hf, NULL};
