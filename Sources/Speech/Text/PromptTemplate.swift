// The published prompts: how a question becomes the tokens of each architecture, with one placeholder
// where the sound goes. The literal strings are those of the models' own inference code.

import JSON

/// The tokens of a text prompt.
public struct PromptTemplate: Sendable {
  /// Whether a chat template is used where the architecture has a plain one too (Qwen2-Audio).
  public var isChat: Bool
  /// Whether a language model that has a chat template is given the text alone.
  public var isPlain: Bool
  /// Whisper of several languages: that of the recording, English where nil, and whether it is put into
  /// English.
  public var language: String?
  public var translates: Bool

  public init(
    isChat: Bool = false, isPlain: Bool = false, language: String? = nil, translates: Bool = false
  ) {
    self.isChat = isChat
    self.isPlain = isPlain
    self.language = language
    self.translates = translates
  }

  /// - Throws: where something is asked that the architecture's prompt has no tokens for.
  public func check(_ config: any ModelConfig) throws {
    if isPlain, !(config is Qwen2Config) {
      throw TokenizerError(
        "a prompt without chat template is asked of \(config.architecture); leave --plain out, it is for "
          + "a language model without sound")
    }
    if isChat, !(config is Qwen2AudioConfig) {
      throw TokenizerError(
        "a chat template is asked of \(config.architecture), which has one prompt; leave --chat out, "
          + "it is for Qwen2-Audio")
    }
    guard language != nil || translates else { return }
    let asked = language.map { "the language \(quoted($0))" } ?? "a translation"
    guard let whisper = config as? WhisperConfig else {
      throw TokenizerError(
        "\(asked) is asked of \(config.architecture), whose prompt names none; leave --language and "
          + "--translate out, they are for Whisper")
    }
    guard whisper.isMultilingual else {
      throw TokenizerError(
        "\(asked) is asked of an English-only Whisper, which was trained without tokens of language "
          + "and task; leave --language and --translate out, or take a Whisper of several languages"
      )
    }
  }

  /// The language that the prompt names; nil where it names none.
  public func spokenLanguage(of config: any ModelConfig) -> String? {
    guard let whisper = config as? WhisperConfig, whisper.isMultilingual else { return nil }
    return language ?? "en"
  }

  /// - Parameters:
  ///   - text: what is asked
  ///   - config: the architecture
  /// - Throws: where the tokenizer lacks a token of the template or does not know a word, or the
  ///   architecture has no tokens for what is asked.
  public func tokens(
    _ text: String, for config: any ModelConfig, _ tokenizer: Tokenizer
  ) throws -> [Int] {
    try check(config)
    switch config {
    case let config as Qwen2AudioConfig:
      if let jinja = config.chatTemplate {
        let (before, after) = try ChatTemplate(jinja).prompt(text)
        return try plain(before, tokenizer) + [config.audioToken] + plain("\n" + after, tokenizer)
      }
      return try isChat
        ? qwen2Chat(text, config.audioToken, tokenizer)
        : qwen2(text, config.audioToken, tokenizer)
    case is SALMONNConfig: return try salmonn(text, tokenizer)
    case let config as SoundwaveConfig: return try soundwave(text, config.audioToken, tokenizer)
    case is LlamaOmniConfig: return try llamaOmni(text, tokenizer)
    case let config as Qwen2Config:
      guard let jinja = config.chatTemplate, !isPlain else { return try plain(text, tokenizer) }
      let (before, after) = try ChatTemplate(jinja).prompt(text)
      return try plain(before + after, tokenizer)
    case is WhisperConfig:
      return try whisper(text, language: spokenLanguage(of: config), tokenizer)
    default:
      // Moshi listens without being asked; its text stream is what it says itself.
      return try plain(text, tokenizer)
    }
  }

  static let system =
    "You are a helpful language and speech assistant. You are able to understand the speech content "
    + "that the user provides, and assist the user with a variety of tasks using natural language."

  /// Words that the vocabulary lacks are an error: the model would hear something else.
  private func plain(_ text: String, _ tokenizer: Tokenizer) throws -> [Int] {
    let unknown = try tokenizer.unknownWords(in: text)
    guard unknown.isEmpty else {
      throw TokenizerError(
        "the prompt has words that the tokenizer does not know: "
          + unknown.map { quoted($0) }.joined(separator: ", ") + "; reword it")
    }
    return try tokenizer.encode(text, addingSpecialTokens: false)
  }

  private func token(_ name: String, _ tokenizer: Tokenizer) throws -> Int {
    guard let id = tokenizer.id(of: name) else {
      throw TokenizerError(
        "the tokenizer has no token \(quoted(name)), which the model's prompt needs")
    }
    return id
  }

  /// The base model: the sound between its marks, then the text.
  private func qwen2(_ text: String, _ sound: Int, _ tokenizer: Tokenizer) throws -> [Int] {
    try [token("<|audio_bos|>", tokenizer), sound, token("<|audio_eos|>", tokenizer)]
      + plain(text, tokenizer)
  }

  /// The instructed model: turns of a chat.
  private func qwen2Chat(_ text: String, _ sound: Int, _ tokenizer: Tokenizer) throws -> [Int] {
    let before =
      "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nAudio 1: "
      + "<|audio_bos|>"
    let after = "<|audio_eos|>\n\(text)<|im_end|>\n<|im_start|>assistant\n"
    return try plain(before, tokenizer) + [sound] + plain(after, tokenizer)
  }

  /// Both halves are tokenised by themselves, without special tokens, behind the start token.
  private func salmonn(_ text: String, _ tokenizer: Tokenizer) throws -> [Int] {
    try [token("<s>", tokenizer)] + plain("USER: <Speech>", tokenizer) + [spokenPlaceholder]
      + plain("</Speech> \(text)\nASSISTANT:", tokenizer)
  }

  /// Piece by piece, each as the tokenizer gives it with its own start token, if it adds one.
  private func soundwave(_ text: String, _ sound: Int, _ tokenizer: Tokenizer) throws -> [Int] {
    func special(_ name: String) throws -> [Int] { [try token("<|\(name)|>", tokenizer)] }
    func piece(_ text: String) throws -> [Int] {
      _ = try plain(text, tokenizer)
      return try tokenizer.encode(text)
    }
    func turn(_ role: String) throws -> [Int] {
      try special("start_header_id") + piece(role) + special("end_header_id")
    }
    return try special("begin_of_text") + turn("system") + piece("\n") + piece(Self.system)
      + special("eot_id") + turn("user") + soundPiece("\n<audio_patch>", sound, tokenizer)
      + piece(text) + special("eot_id") + turn("assistant") + piece("\n")
  }

  /// A piece that ends with the sound's token.
  private func soundPiece(_ text: String, _ sound: Int, _ tokenizer: Tokenizer) throws -> [Int] {
    let tokens = try tokenizer.encode(text)
    guard tokens.last == sound else {
      throw TokenizerError(
        "the tokenizer does not read <audio_patch> as token \(sound), as config.json says")
    }
    return tokens
  }

  /// The published prompt is cut at the sound and both parts are tokenised with the start token that
  /// the tokenizer adds; of these the first stays, so that the prompt begins with two.
  private func llamaOmni(_ text: String, _ tokenizer: Tokenizer) throws -> [Int] {
    func header(_ role: String) -> String { "<|start_header_id|>\(role)<|end_header_id|>\n\n" }
    let before =
      "<|begin_of_text|>" + header("system") + Self.system + "<|eot_id|>" + header("user")
    let question =
      text.isEmpty ? "Please directly answer the questions in the user's speech." : text
    let after = "\n\(question)<|eot_id|>" + header("assistant")
    let start = try token("<|begin_of_text|>", tokenizer)
    _ = try (plain(before, tokenizer), plain(after, tokenizer))
    let parts = try [before, after].map { try tokenizer.encode($0) }
    // Whether the tokenizer adds a start token shows in the second part, which has none of its own.
    let adds = parts[1].first == start
    return (adds ? [start] : []) + parts[0].dropFirst(adds ? 1 : 0) + [spokenPlaceholder]
      + parts[1].dropFirst(adds ? 1 : 0)
  }

  /// The decoder's start: language and task where the model was trained with them, no timestamps; a
  /// text is what was said before.
  private func whisper(_ text: String, language: String?, _ tokenizer: Tokenizer) throws -> [Int] {
    var tokens: [Int] = []
    if !text.isEmpty {
      tokens += try [token("<|startofprev|>", tokenizer)] + plain(" " + text, tokenizer)
    }
    tokens.append(try token("<|startoftranscript|>", tokenizer))
    if let language {
      let task = translates ? "<|translate|>" : "<|transcribe|>"
      tokens += [try token("<|\(language)|>", tokenizer), try token(task, tokenizer)]
    }
    return tokens + [try token("<|notimestamps|>", tokenizer)]
  }
}
