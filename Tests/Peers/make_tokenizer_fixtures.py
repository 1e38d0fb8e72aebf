"""Makes the tokenizers and golden encodings that TokenizerTests compares with.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.22.2
    venv/bin/python Tests/Peers/make_tokenizer_fixtures.py Tests/SpeechTests/Fixtures/tokenizers

Small tokenizers of every supported kind are trained on the text below, and the `tokenizers` library
encodes and decodes 1,500 strings with them. Running this again gives the same bytes.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")
SPECIAL = ["<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
# Tokens that the WordPiece decoder joins to what stands before them.
CLEANED = [".", "?", "!", ",", "' b", "n't", "'m", "do not", "'s", "'ve", "'re", "##ing", "##"]

# Article 1 of the Universal Declaration of Human Rights, and lines of our own.
CORPUS = """
All human beings are born free and equal in dignity and rights. They are endowed with reason and
conscience and should act towards one another in a spirit of brotherhood.
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen
begabt und sollen einander im Geist der Brüderlichkeit begegnen.
Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison
et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.
Все люди рождаются свободными и равными в своем достоинстве и правах.
人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神互相对待。
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا.
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।
The answer isn't "yes", it's 'no'; we'll see, they've said 1234 times, I'd guess 56,789.01 or so.
What is the first thing: a boat or a goat? Transcribe the speech. Say the word bat, not the word pat.
if x == 10:\n\treturn [y for y in range(3)]   # spaces    and\ttabs\r\n
👍 👩‍👩‍👧 🇩🇪 ❤️ ☕ 😀😀
""".strip().split("\n")

FRAGMENTS = (
    " ".join(CORPUS).split()
    + "a b I we it's IT'S it'ſ don't DON'T they'Ll you're x'd 'tis rock'n'roll ’s l'été".split()
    + "1 12 123 1234 12345 1234567890 3.14 1,000,000 ٣٤٥ १२३ Ⅷ ½ x² 10:30".split()
    + ["naïve", "café", "Ångström", "Å", "ﬁn", "ẛ̣", "q̣̇", "Ελλάδας", "İstanbul", "ΣΑΣ", "ß", "ẞ"]
    + ["한국어", "각", "가", "ทดสอบ", "שָׁלוֹם", "اَلسَّلَامُ", "क्षि", "நி", "𝔘𝔫𝔦", "𐍈", "㍿", "Ω", "Ⅳ"]
    + ["👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇺🇳", "☺️", "e\u0301", "\u0301", "o\u0323\u0302", "\u200d", "\ufeff", "\ufffd"]
    + ["...", "?!", "--", "—", "«»", "$", "€5", "#tag", "@me", "a_b", "/", "\\n", "{[()]}", "·", "…"]
    + ["\x00", "\x07", "\x1b[0m", "\x7f", "\x85", "\u00a0", "\u00ad", "\u2028", "\u2029", "\u3000", "\u180e"]
    + SPECIAL
    + ["<|pad|>", "<|en|>", "<|AUDIO", "|>", "<|audio_bos|><|AUDIO|><|audio_eos|>", "<|", "<sil>", "<SIL>", "word", "<mot>"]
)
SPACES = [" "] * 12 + ["", "", "", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n ", "      ", "\u00a0", "\u3000"]


def strings():
    draw = random.Random(20240607)
    texts = ["", " ", "  ", "\n", "\t", "first thing:", "a" * 100, "ab" * 60, " " * 50, "<|AUDIO|>" * 5, "é" * 30]
    texts += [line[:60] for line in CORPUS]
    seen = set(texts)
    while len(texts) < 1500:
        parts = [draw.choice(FRAGMENTS) + draw.choice(SPACES) for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 4, 5]))]
        text = "".join(parts)
        if draw.random() < 0.3:
            text = draw.choice(SPACES) + text
        if draw.random() < 0.3:
            text = text.rstrip()
        if draw.random() < 0.15:
            text = unicodedata.normalize("NFD", text)
        if text not in seen:
            seen.add(text)
            texts.append(text)
    return texts


def bpe(size, special=SPECIAL, alphabet=True, **model):
    """A BPE tokenizer without merges, and the trainer that gives it `size` tokens."""
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()) if alphabet else [],
    )
    return Tokenizer(models.BPE(**model)), trainer


def split(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def make_all():
    made = {}

    t, trainer = bpe(900)
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(CORPUS, trainer)
    t.add_tokens([AddedToken("word", single_word=True), AddedToken("<mot>", lstrip=True, rstrip=True)])
    t.add_special_tokens([AddedToken("<|pad|>", lstrip=True), AddedToken("<|en|>", rstrip=True), "<|AUDIO|><|"])
    made["gpt2"] = t

    t, trainer = bpe(1200, special=SPECIAL[:1])
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = split(QWEN2)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(CORPUS, trainer)
    t.add_special_tokens(SPECIAL[1:])
    t.add_tokens([AddedToken("café", normalized=True), AddedToken("e\u0301t", normalized=False)])
    made["qwen2"] = t

    t, trainer = bpe(1400, special=["<|begin|>"], ignore_merges=True)
    t.pre_tokenizer = split(LLAMA3)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainer)
    t.add_special_tokens(SPECIAL)
    template = processors.TemplateProcessing(
        single="<|begin|> $A <|endoftext|>",
        pair="<|begin|> $A $B",
        special_tokens=[(s, t.token_to_id(s)) for s in ["<|begin|>", "<|endoftext|>"]],
    )
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    made["llama3"] = t

    # Words that are no product of merges any more: with ignore_merges they come out whole.
    json_text = json.loads(t.to_str())
    lost = {"Ġbrotherhood", "conscience", "Ġanswer"}
    json_text["model"]["merges"] = [m for m in json_text["model"]["merges"] if "".join(m) not in lost]
    made["llama3"] = Tokenizer.from_str(json.dumps(json_text))

    # A prefix space, an incomplete alphabet with a token for the rest, unknown ones fused.
    t, trainer = bpe(420, special=["<unk>"], alphabet=False, unk_token="<unk>", fuse_unk=True)
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS[:7], trainer)
    t.add_special_tokens(SPECIAL)
    made["prefix"] = t

    # The same alphabet without such a token: what is unknown is left out.
    t, trainer = bpe(300, special=[], alphabet=False)
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}+|\s+"), "isolated"),
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.train_from_iterator(CORPUS[:5], trainer)
    t.add_tokens([AddedToken("<SIL>", normalized=True), AddedToken("Å", normalized=False)])
    made["lossy"] = t

    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=400, special_tokens=["<unk>"] + SPECIAL, show_progress=False))
    made["words"] = t

    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=200, special_tokens=["[UNK]"] + CLEANED, show_progress=False))
    made["lowercase"] = t

    # What lies between the matches is dropped.
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{L}+"), "removed", invert=True)
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=150, special_tokens=["<unk>"], show_progress=False))
    made["letters"] = t
    return made


def written():
    """What Tokenizer.wordLevel has to write, from the library itself."""
    words = ["what", "is", "the", "first", "thing", ":", "?", "été"]
    vocab = {word: number for number, word in enumerate(SPECIAL + words)}
    t = Tokenizer(models.WordLevel(vocab, unk_token="<|unknown|>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.add_special_tokens(SPECIAL)
    return t


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    texts = strings()
    golden = {"texts": texts, "tokenizers": {}}
    few = {"prefix", "lossy", "words", "lowercase", "letters"}
    draw = random.Random(7)
    for name, tokenizer in make_all().items():
        parsed = json.loads(tokenizer.to_str())
        if name == "gpt2":  # the older spelling of merges
            parsed["model"]["merges"] = [" ".join(pair) for pair in parsed["model"]["merges"]]
        text = json.dumps(parsed, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        tokenizer = Tokenizer.from_str(text)
        count = 400 if name in few else len(texts)
        entries = {"ids": [], "decoded": {}, "size": tokenizer.get_vocab_size()}
        around = tokenizer.encode("").ids  # what the template adds
        entries["before"], entries["after"] = around[:1], around[1:]
        for number, line in enumerate(texts[:count]):
            ids = tokenizer.encode(line, add_special_tokens=False).ids
            if tokenizer.encode(line).ids != entries["before"] + ids + entries["after"]:
                raise SystemExit(f"{name}: the template depends on the text")
            entries["ids"].append(ids)
            decoded = tokenizer.decode(ids, skip_special_tokens=False)
            if decoded != line:  # the others come back as they were
                entries["decoded"][str(number)] = decoded
        # Ids in an order that no text gives, with cut characters and ids that do not exist.
        size = tokenizer.get_vocab_size()
        entries["strange"] = []
        for number in range(60):
            ids = [draw.randrange(size + 3) for _ in range(draw.randrange(1, 8))]
            if number == 0:
                ids = list(range(16))
            shown = [tokenizer.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
            entries["strange"].append([ids, *shown])
        golden["tokenizers"][name] = entries
    (folder / "written.json").write_text(written().to_str() + "\n", encoding="utf-8")
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (folder / "golden.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
