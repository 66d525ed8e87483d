/* Config files: defaults, what is read, and every refusal. */
#include "formats/checkpoint/clip_config.h"

#include "tests/tap.h"

static struct clip_config c;
static struct prep p;

static int hf(const char *s, struct err *e) {
    memset(&c, 0, sizeof c);
    return clip_config_hf(&c, s, strlen(s), e) == 1 ? 0 : -1;
}

static int prep(const char *s, struct err *e) {
    return clip_prep_hf(&p, s, strlen(s), e);
}

static int openclip(const char *s, struct err *e) {
    memset(&c, 0, sizeof c);
    return clip_config_openclip(&c, &p, s, strlen(s), e);
}

static void good(int (*read)(const char *, struct err *), const char *s) {
    struct err e = {0};

    ok(read(s, &e) == 0, "read: %s%s", s, e.msg);
}

static void bad(int (*read)(const char *, struct err *), const char *why, const char *s) {
    struct err e = {0};
    int r = read(s, &e);

    ok(r < 0 && strstr(e.msg, why), "refused: %s", r < 0 ? e.msg : s);
}

static void hugging_face(void) {
    struct err e = {0};

    good(hf, "{\"model_type\":\"clip\"}");
    ok(c.has_text && c.has_vision && c.act_known && c.text.width == 512 && c.text.heads == 8 &&
       c.text.layers == 12 && c.text.mlp == 2048 && c.text.context == 77 && c.text.vocab == 49408 &&
       c.vision.width == 768 && c.vision.heads == 12 && c.vision.mlp == 3072 && c.vision.patch == 32 &&
       c.vision.image == 224 && c.vision.embed == 512 && c.text.act == ACT_QUICK_GELU &&
       c.vision.act == ACT_QUICK_GELU && c.text.eps == 1e-5f, "defaults are those of ViT-B/32");
    good(hf, "{\"model_type\":\"clip\",\"projection_dim\":768,\"text_config\":{\"hidden_size\":768,"
         "\"num_attention_heads\":12,\"projection_dim\":99,\"hidden_act\":\"gelu\",\"eos_token_id\":2},"
         "\"text_config_dict\":null,\"vision_config\":{\"hidden_act\":\"gelu_new\",\"layer_norm_eps\":1e-06}}");
    ok(c.text.width == 768 && c.text.embed == 768 && c.vision.embed == 768 && c.text.act == ACT_GELU &&
       c.vision.act == ACT_GELU_TANH && c.vision.eps == 1e-6f, "the joint width counts, acts may differ");
    good(hf, "{\"model_type\":\"clip\",\"text_config\":{\"hidden_size\":64,\"num_hidden_layers\":3},"
         "\"text_config_dict\":{\"hidden_size\":128}}");
    ok(c.text.width == 128 && c.text.layers == 12, "text_config_dict, where it is, is what counts");
    ok(c.text.eos == 49407, "texts end with 49407 where nothing is said");
    good(hf, "{\"model_type\":\"clip_text_model\",\"vocab_size\":3002,\"eos_token_id\":2999}");
    ok(c.text.eos == 2999, "or with eos_token_id");
    good(hf, "{\"model_type\":\"clip_text_model\",\"eos_token_id\":2}");
    ok(c.text.eos == CLIP_LARGEST, "the 2 of old files means the largest id");
    good(hf, "{\"model_type\":\"clip_text_model\",\"vocab_size\":3002}");
    ok(c.text.eos == CLIP_LARGEST, "so does an id that the vocabulary does not have");
    good(hf, "{\"model_type\":\"clip_text_model\",\"hidden_size\":768,\"num_attention_heads\":12,\"projection_dim\":768}");
    ok(c.has_text && !c.has_vision && c.text.embed == 768, "one tower's own config");
    good(hf, "{\"model_type\":\"clip_vision_model\"}");
    ok(!c.has_text && c.has_vision, "the other's");
    ok(clip_config_hf(&c, "{\"model_type\":\"siglip\"}", 23, &e) == 0 && !e.msg[0], "another kind is no error");
    ok(clip_config_hf(&c, "{\"a\":1}", 7, &e) == 0, "nor is another file");
    {
        char type[64];
        clip_config_type(type, "{\"model_type\":\"siglip\"}", 23);
        ok(!strcmp(type, "siglip"), "whose type can be told");
    }

    bad(hf, "not valid JSON", "{\"model_type\":\"clip\"");
    bad(hf, "not an object", "[]");
    bad(hf, "hidden_act swish is not supported", "{\"model_type\":\"clip_text_model\",\"hidden_act\":\"swish\"}");
    bad(hf, "hidden_act is not a name", "{\"model_type\":\"clip_text_model\",\"hidden_act\":3}");
    bad(hf, "hidden_size is not a number", "{\"model_type\":\"clip_text_model\",\"hidden_size\":0}");
    bad(hf, "hidden_size is not a number", "{\"model_type\":\"clip_text_model\",\"hidden_size\":1.5}");
    bad(hf, "hidden_size is not a number", "{\"model_type\":\"clip_text_model\",\"hidden_size\":99999999999}");
    bad(hf, "not a multiple of its 7 heads", "{\"model_type\":\"clip_text_model\",\"num_attention_heads\":7}");
    bad(hf, "layer_norm_eps is not a number", "{\"model_type\":\"clip_text_model\",\"layer_norm_eps\":1}");
    bad(hf, "num_channels is 1", "{\"model_type\":\"clip_vision_model\",\"num_channels\":1}");
    bad(hf, "not a multiple of patch_size", "{\"model_type\":\"clip_vision_model\",\"patch_size\":15}");
}

static void preprocessor(void) {
    good(prep, "{}");
    ok(p.size == 224 && p.crop == 224 && p.resize == RESIZE_SHORTEST && p.rule == CROP_HF &&
       p.filter == FILTER_BICUBIC && p.normalize && p.rescale == 1 / 255. && p.mean[0] == 0.48145466f &&
       p.std[2] == 0.27577711f, "defaults are CLIPImageProcessor's");
    good(prep, "{\"size\":336,\"crop_size\":336,\"feature_extractor_type\":\"CLIPFeatureExtractor\"}");
    ok(p.size == 336 && p.crop == 336 && p.resize == RESIZE_SHORTEST, "a bare number is the shorter edge");
    good(prep, "{\"size\":{\"shortest_edge\":240},\"crop_size\":{\"height\":224,\"width\":224},\"resample\":2}");
    ok(p.size == 240 && p.crop == 224 && p.filter == FILTER_BILINEAR, "the present spelling");
    good(prep, "{\"size\":{\"height\":256,\"width\":256},\"do_center_crop\":false,\"do_normalize\":false}");
    ok(p.size == 256 && p.crop == 256 && p.resize == RESIZE_SQUASH && !p.normalize, "squashed to a square");
    good(prep, "{\"do_resize\":false,\"do_rescale\":false,\"image_mean\":[0,0,0],\"image_std\":[1,1,1]}");
    ok(p.size == 0 && p.rescale == 1, "neither resized nor rescaled");

    bad(prep, "resample is not one of Pillow's filters", "{\"resample\":6}");
    bad(prep, "resample is not one of Pillow's filters", "{\"resample\":\"bicubic\"}");
    bad(prep, "size is neither a shortest edge nor a square", "{\"size\":{\"height\":256,\"width\":128}}");
    bad(prep, "size is neither a shortest edge nor a square", "{\"size\":{\"longest_edge\":256}}");
    good(prep, "{\"size\":{\"shortest_edge\":224,\"longest_edge\":256}}");
    ok(p.size == 224 && p.most == 256 && p.resize == RESIZE_SHORTEST, "the longer side may be limited");
    good(prep, "{\"size\":[32,32],\"crop_size\":[32,32]}");
    ok(p.size == 32 && p.most == 0 && p.resize == RESIZE_SQUASH && p.crop == 32, "a list of two is a square");
    good(prep, "{\"size\":{\"shortest_edge\":224,\"longest_edge\":null,\"height\":null}}");
    ok(p.size == 224 && p.most == 0, "null members are not there");
    good(prep, "{\"do_convert_rgb\":true,\"data_format\":\"channels_first\",\"processor_class\":\"CLIPProcessor\",\"do_pad\":null}");
    bad(prep, "do_pad is set, which is not supported", "{\"do_pad\":true}");
    bad(prep, "use_square_size is set, which is not supported", "{\"use_square_size\":true}");
    bad(prep, "size is neither", "{\"size\":[32,31]}");
    bad(prep, "size is neither", "{\"size\":[32]}");
    bad(prep, "size is neither", "{\"size\":[0,0]}");
    bad(prep, "size is neither", "{\"size\":{\"shortest_edge\":224,\"height\":256}}");
    bad(hf, "quantization_config is set, which is not supported", "{\"model_type\":\"clip\",\"quantization_config\":{}}");
    bad(prep, "image_mean is not three numbers", "{\"image_mean\":[0.5]}");
    bad(prep, "image_std: 0 is out of range", "{\"image_std\":[1,0,1]}");
    bad(prep, "do_normalize is neither true nor false", "{\"do_normalize\":1}");
    bad(prep, "would not be square", "{\"do_center_crop\":false}");
    bad(prep, "SiglipImageProcessor is not supported", "{\"image_processor_type\":\"SiglipImageProcessor\"}");
}

#define VIT "\"vision_cfg\":{\"layers\":32,\"width\":1280,\"head_width\":80,\"patch_size\":14}"
#define TEXT "\"text_cfg\":{\"width\":1024,\"heads\":16,\"layers\":24}"
#define MODEL(v, t, more) "{\"model_cfg\":{\"embed_dim\":1024," v "," t more "}}"

static void open_clip(void) {
    good(openclip, MODEL(VIT, TEXT, ""));
    ok(c.vision.heads == 16 && c.vision.mlp == 5120 && c.vision.layers == 32 && c.text.heads == 16 &&
       c.text.mlp == 4096 && c.text.act == ACT_GELU && c.vision.act == ACT_GELU && c.act_known,
       "ViT-H-14: heads of 80, exact GELU");
    ok(p.rule == CROP_TORCHVISION && p.size == 224 && p.rescale == 0, "torchvision's preprocessing");
    good(openclip, MODEL("\"vision_cfg\":{\"width\":1408,\"head_width\":88,\"mlp_ratio\":4.3637,\"patch_size\":14}",
                         TEXT, ",\"quick_gelu\":true"));
    ok(c.vision.mlp == 6144 && c.vision.act == ACT_QUICK_GELU, "g-14: MLP cut, not rounded; quick_gelu");
    good(openclip, MODEL("\"vision_cfg\":{\"layers\":[3,4,6,3],\"width\":64,\"patch_size\":null}", TEXT, ""));
    ok(c.vision.kind == VISION_RESNET && c.vision.blocks[2] == 6 && c.vision.heads == 32, "a ResNet");
    good(openclip, "{\"model_cfg\":{\"embed_dim\":8," VIT "," TEXT "},\"preprocess_cfg\":{\"size\":[224,224],"
         "\"mode\":\"RGB\",\"mean\":[0.5,0.5,0.5],\"std\":[0.5,0.5,0.5],\"interpolation\":\"bilinear\","
         "\"resize_mode\":\"squash\",\"fill_color\":127}}");
    ok(p.filter == FILTER_BILINEAR && p.resize == RESIZE_SQUASH && p.mean[1] == 0.5f && p.fill[1] == 127,
       "its preprocess_cfg");
    good(openclip, MODEL("\"vision_cfg\":{\"ls_init_value\":null,\"pool_type\":\"tok\",\"attentional_pool\":false,"
                         "\"norm_kwargs\":{\"eps\":1e-6}}", TEXT, ",\"custom_text\":true"));
    ok(c.vision.eps == 1e-6f && c.vision.patch == 16, "values that change nothing pass");

    bad(openclip, "model_cfg is missing", "{}");
    bad(openclip, "vision_cfg is missing", "{\"model_cfg\":{\"embed_dim\":8," TEXT "}}");
    bad(openclip, "text_cfg is missing", "{\"model_cfg\":{\"embed_dim\":8," VIT "}}");
    bad(openclip, "embed_dim is missing", "{\"model_cfg\":{" VIT "," TEXT "}}");
#define V(kv) MODEL("\"vision_cfg\":{" kv "}", TEXT, "")
    bad(openclip, "vision_cfg: ls_init_value is set", V("\"ls_init_value\":0.1"));
    bad(openclip, "vision_cfg: pool_type is set to what is not implemented: avg", V("\"pool_type\":\"avg\""));
    bad(openclip, "vision_cfg: timm_model_name is set", V("\"timm_model_name\":\"convnext_base\""));
    bad(openclip, "timm_model_name vit_base_patch16_siglip_224 is a SigLIP, which is not supported",
        V("\"timm_model_name\":\"vit_base_patch16_siglip_224\""));
    bad(openclip, "vision_cfg: no_ln_pre is set", V("\"no_ln_pre\":true"));
    bad(openclip, "vision_cfg: final_ln_after_pool is set", V("\"final_ln_after_pool\":true"));
    bad(openclip, "vision_cfg: attentional_pool is set", V("\"attentional_pool\":true"));
    bad(openclip, "vision_cfg: act_kwargs is set", V("\"act_kwargs\":{\"approximate\":\"tanh\"}"));
    bad(openclip, "norm_kwargs: elementwise_affine", V("\"norm_kwargs\":{\"elementwise_affine\":0.001}"));
    bad(openclip, "image_size is not a square", V("\"image_size\":[224,256]"));
    bad(openclip, "not a multiple of patch_size", V("\"image_size\":225"));
    bad(openclip, "layers is not four numbers", V("\"layers\":[1,2]"));
    bad(openclip, "vision_cfg: something_new is set", V("\"something_new\":1"));
    bad(openclip, "mlp_ratio is not a number", V("\"mlp_ratio\":-1"));
#define X(kv) MODEL(VIT, "\"text_cfg\":{" kv "}", "")
    bad(openclip, "text_cfg: no_causal_mask is set", X("\"no_causal_mask\":true"));
    bad(openclip, "text_cfg: hf_model_name is set", X("\"hf_model_name\":\"roberta\""));
    bad(openclip, "text_cfg: pool_type is set to what is not implemented: last", X("\"pool_type\":\"last\""));
    bad(openclip, "text_cfg: proj_bias is set", X("\"proj_bias\":true"));
    bad(openclip, "text_cfg: embed_cls is set", X("\"embed_cls\":true"));
    bad(openclip, "model_cfg: init_logit_bias is set", MODEL(VIT, TEXT, ",\"init_logit_bias\":-10"));
    bad(openclip, "model_cfg: multimodal_cfg is set", MODEL(VIT, TEXT, ",\"multimodal_cfg\":{\"width\":1}"));
    bad(openclip, "quick_gelu is neither", MODEL(VIT, TEXT, ",\"quick_gelu\":1"));
#define P(kv) "{\"model_cfg\":{\"embed_dim\":8," VIT "," TEXT "},\"preprocess_cfg\":{" kv "}}"
    bad(openclip, "interpolation is set", P("\"interpolation\":\"random\""));
    bad(openclip, "resize_mode is set", P("\"resize_mode\":\"stretch\""));
    bad(openclip, "mean is not three numbers", P("\"mean\":[1,2]"));
    bad(openclip, "mode is set to what is not implemented: L", P("\"mode\":\"L\""));
}

static void merging(void) {
    struct clip_config shape = {.has_text = true, .text = {.context = 77, .vocab = 9, .width = 64, .heads = 1,
                                .layers = 2, .mlp = 256, .embed = 8}}, file = shape;
    struct err e = {0};

    file.text.heads = 4, file.text.act = ACT_GELU, file.act_known = true;
    ok(clip_config_merge(&shape, &file, &e) == 0 && shape.text.heads == 4 && shape.act_known,
       "heads and activation come from the file");
    file.text.layers = 3;
    ok(clip_config_merge(&shape, &file, &e) < 0 &&
       !strcmp(e.msg, "number of text layers is 3, but the tensors have 2"), "refused: %s", e.msg);
}

int main(void) {
    hugging_face();
    preprocessor();
    open_clip();
    merging();
    return done();
}
