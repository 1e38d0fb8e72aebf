"""Makes the SentencePiece models and golden encodings that SentencePieceTests compares with.

    python make_sentencepiece_fixtures.py ../SpeechTests/Fixtures/tokenizers

Three small models are trained on the text of make_tokenizer_fixtures.py: BPE with byte fallback in
the settings of Llama, a unigram model without normalisation, and one with SentencePiece's own
(nmt_nfkc), which removes extra spaces. The library encodes and decodes the 1,500 strings of
golden.json with each. Needs sentencepiece.
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece

from make_tokenizer_fixtures import CORPUS

KINDS = {
    "bpe": dict(
        model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, add_dummy_prefix=True, split_digits=True,
        allow_whitespace_only_pieces=True, vocab_size=700, user_defined_symbols=["<mark>"]),
    "unigram": dict(
        model_type="unigram", normalization_rule_name="identity", remove_extra_whitespaces=False,
        vocab_size=420),
    "nfkc": dict(
        model_type="unigram", normalization_rule_name="nmt_nfkc", byte_fallback=True,
        vocab_size=720),
}


def main(folder):
    texts = json.loads((folder / "golden.json").read_text())["texts"]
    texts += ["a <mark> b<mark>", "  two  spaces  ", "\u212bngstr\u00f6m \ufb01 \u2460", "\n\n\tx"]
    golden = {"texts": texts[-4:], "models": {}}
    for name, options in KINDS.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for line in CORPUS if line),
            model_writer=model, character_coverage=0.995, num_threads=1, minloglevel=2,
            hard_vocab_limit=False, **options)
        (folder / f"{name}.model").write_bytes(model.getvalue())
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        ids = [processor.encode(text) for text in texts]
        golden["models"][name] = {
            "size": processor.vocab_size(), "ids": ids,
            "decoded": {
                str(i): processor.decode(x) for i, x in enumerate(ids)
                if processor.decode(x) != texts[i]},
        }
        print(name, processor.vocab_size(), sum(map(len, ids)))
    (folder / "sentencepiece.json").write_text(
        json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
