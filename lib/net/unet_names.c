#include "lib/net/unet_names.h"

#include <stdio.h>

static void diffusers_block(char at[UNET_BLOCK_NAME], const struct unet_config *c, enum unet_place p, size_t l,
                            size_t j) {
    const size_t room = UNET_BLOCK_NAME;
    const char *x = c->prefix;

    switch (p) {
    case DOWN_RES: snprintf(at, room, "%.60sdown_blocks.%zu.resnets.%zu", x, l, j); break;
    case DOWN_ATT: snprintf(at, room, "%.60sdown_blocks.%zu.attentions.%zu", x, l, j); break;
    case HALVE: snprintf(at, room, "%.60sdown_blocks.%zu.downsamplers.0", x, l); break;
    case MID_RES: snprintf(at, room, "%.60smid_block.resnets.%zu", x, j); break;
    case MID_ATT: snprintf(at, room, "%.60smid_block.attentions.0", x); break;
    case UP_RES: snprintf(at, room, "%.60sup_blocks.%zu.resnets.%zu", x, l, j); break;
    case UP_ATT: snprintf(at, room, "%.60sup_blocks.%zu.attentions.%zu", x, l, j); break;
    case TWICE: snprintf(at, room, "%.60sup_blocks.%zu.upsamplers.0", x, l); break;
    }
}

static void original_block(char at[UNET_BLOCK_NAME], const struct unet_config *c, enum unet_place p, size_t l,
                           size_t j) {
    const size_t room = UNET_BLOCK_NAME, n = c->layers;
    const char *x = c->prefix;

    switch (p) {
    case DOWN_RES: snprintf(at, room, "%.60sinput_blocks.%zu.0", x, 1 + (n + 1) * l + j); break;
    case DOWN_ATT: snprintf(at, room, "%.60sinput_blocks.%zu.1", x, 1 + (n + 1) * l + j); break;
    case HALVE: snprintf(at, room, "%.60sinput_blocks.%zu.0", x, (n + 1) * (l + 1)); break;
    case MID_RES: snprintf(at, room, "%.60smiddle_block.%zu", x, j && c->mid_attention ? 2 : j); break;
    case MID_ATT: snprintf(at, room, "%.60smiddle_block.1", x); break;
    case UP_RES: snprintf(at, room, "%.60soutput_blocks.%zu.0", x, (n + 1) * l + j); break;
    case UP_ATT: snprintf(at, room, "%.60soutput_blocks.%zu.1", x, (n + 1) * l + j); break;
    case TWICE:
        snprintf(at, room, "%.60soutput_blocks.%zu.%d", x, (n + 1) * l + n, c->attention[c->levels - 1 - l] ? 2 : 1);
        break;
    }
}

static const struct unet_names families[] = {
    [UNET_DIFFUSERS] = {
        .conv_in = "conv_in", .time1 = "time_embedding.linear_1", .time2 = "time_embedding.linear_2",
        .norm_out = "conv_norm_out", .conv_out = "conv_out",
        .norm1 = "norm1", .conv1 = "conv1", .time = "time_emb_proj", .norm2 = "norm2", .conv2 = "conv2",
        .shortcut = "conv_shortcut",
        .norm = "group_norm", .q = "to_q", .k = "to_k", .v = "to_v", .kc = "add_k_proj", .vc = "add_v_proj",
        .out = "to_out.0",
        .block = diffusers_block,
    },
    [UNET_ORIGINAL] = {
        .conv_in = "input_blocks.0.0", .time1 = "time_embed.0", .time2 = "time_embed.2", .norm_out = "out.0",
        .conv_out = "out.2",
        .norm1 = "in_layers.0", .conv1 = "in_layers.2", .time = "emb_layers.1", .norm2 = "out_layers.0",
        .conv2 = "out_layers.3", .shortcut = "skip_connection",
        .norm = "norm", .qkv = "qkv", .kv = "encoder_kv", .out = "proj_out",
        .block = original_block,
    },
};

const struct unet_names *unet_names_of(enum unet_family family) {
    return &families[family];
}
