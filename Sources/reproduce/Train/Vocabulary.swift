// The words of the shipped checkpoints: those that are spoken, asked with and answered, and those of
// the published prompts of the three architectures, so that one vocabulary serves all.

extension Lexicon {
  /// Tokens that are no words: of Qwen2-Audio, SALMONN and Soundwave.
  static let special = [
    "<|endoftext|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>", "<s>", "</s>",
    "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<audio_patch>",
  ]

  /// Every word, in the order of their tokens.
  static var vocabulary: [String] {
    let prompts = [
      "transcribe", "translate", "which", "first", "second", "last", "thing", "colour", "number",
      ":", "what", "is", "how", "many", "next", "who", "speaking", "asking", "or", "telling",
      "fast",
      "slow",
    ]
    let spoken =
      nouns + homophoneNouns + colours + digits + ["say", "the", "and", "then", "again"]
    // "USER: <Speech> </Speech> ASSISTANT:" of SALMONN, and Soundwave's system prompt.
    let templates = [
      "USER", "<", "Speech", ">", "</", "ASSISTANT", "system", "user", "assistant", "You", "are",
      "a", "helpful", "language", "speech", ".", "able", "to", "understand", "content", "that",
      "provides", ",", "assist", "with", "variety", "of", "tasks", "using", "natural",
    ]
    var seen: Set<String> = []
    return (prompts + spoken + Manner.speakers + Spanish.words + templates)
      .filter { seen.insert($0).inserted }
  }
}
