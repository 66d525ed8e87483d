# shellcheck shell=bash
# earlier.bash - records with the fields of an earlier picture, for the tests of what goes when a record gets another picture

# A jq program that gives a record such fields, and what rank and probe said of its vector.
# shellcheck disable=SC2034    # the tests that load this file use it
earlier='.data += {svg: "<svg/>", step: 3, logp: -1, cos: 0.5, logit: 50, prob: 0.5, rank: 2, label: "cat", score: 5, theta: 0.5,
    image_features: {"$nd": {type: "<f4", shape: [1], data: "AACAPw=="}}, source: {"$nd": {type: "|u1", shape: [1, 1, 3], data: "AAAA"}},
    mask: {"$nd": {type: "|u1", shape: [1, 1], data: "AA=="}}} | .data.image_tokens //= [1] | .data.grid //= [1, 1] |
    .data.model += {image_features: "0123456789abcdef"} | .data.model.image_tokens //= "0123456789abcdef"'

# Of each record of standard input: which of these fields it has, and which fields about pictures have a fingerprint.
left() {
    record-json --arrays | jq -c '.data as $d | [("svg", "step", "source", "mask", "image_features", "image_tokens", "grid", "logp", "cos", "logit",
        "prob", "rank", "label", "score", "theta") | select($d[.] != null)], [$d.model | keys[] | select(startswith("image"))] | join(" ")'
}
