// The tokenizer of a GGUF file: the tokens and merges of a byte-level BPE in its metadata, and the name
// of how text is split before.

import JSON

extension Tokenizer {
  /// Kinds of tokens, by their numbers in the file.
  private enum Kind {
    static let control = 3
    static let userDefined = 4
  }

  /// How Qwen2 splits a text, digit by digit.
  static let qwen2Pattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"#
    + #"\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// The tokenizer that a file's metadata describe.
  ///
  /// - Throws: what `json(gguf:)` throws.
  public init(gguf file: GGUF) throws { try self.init(Tokenizer.json(gguf: file), name: file.path) }

  /// The tokenizer.json of a checkpoint folder, or what would stand in one.
  ///
  /// - Throws: where the folder has another kind of tokenizer.
  public static func json(folder: String) throws -> JSON {
    let own = "\(folder)/tokenizer.json"
    if fileExists(own) { return try readJSON(own) }
    if let parts = try CheckpointParts(of: folder) {
      return try json(folder: parts.languageModel)
    }
    guard let path = try Checkpoint.ggufFile(in: folder) else {
      throw TokenizerError("\(folder): has no tokenizer.json and no GGUF file; fetch one")
    }
    return try json(gguf: GGUF(path: path))
  }

  /// What a tokenizer.json would say of the tokenizer in a file's metadata.
  ///
  /// The text is taken as it is: unlike Qwen2's own tokenizer.json, a GGUF file asks for no composed
  /// characters, and its readers compose none.
  ///
  /// - Throws: where the file has no tokenizer, a damaged one, or one of another kind.
  static func json(gguf file: GGUF) throws -> JSON {
    func failure(_ reason: String) -> TokenizerError { TokenizerError("\(file.path): \(reason)") }
    func text(_ key: String, _ known: String) throws {
      guard let found = file.metadata["tokenizer.ggml.\(key)"] else {
        throw failure(
          "has no \"tokenizer.ggml.\(key)\", so no tokenizer; take a whole model's file")
      }
      guard found.string == known else {
        throw failure(
          "\"tokenizer.ggml.\(key)\" is \(found.shown); only \(quoted(known)) is read, byte-level BPE as "
            + "Qwen2 has it")
      }
    }
    func list<T>(_ key: String, _ values: (GGUFList) throws -> [T]?) throws -> [T] {
      let name = "tokenizer.ggml.\(key)"
      let values = try file.metadata[name]?.list.flatMap { list in
        do { return try values(list) } catch { throw TokenizerError("\(error)") }
      }
      guard let values else {
        throw failure("\(quoted(name)) is missing or of another type; fetch it again")
      }
      return values
    }
    try text("model", "gpt2")
    try text("pre", "qwen2")
    for key in ["add_bos_token", "add_eos_token"]
    where file.metadata["tokenizer.ggml.\(key)"]?.bool == true {
      throw failure("\"tokenizer.ggml.\(key)\" is true, which is not implemented for qwen2")
    }
    let tokens = try list("tokens") { try $0.strings("\"tokenizer.ggml.tokens\"") }
    let merges = try list("merges") { try $0.strings("\"tokenizer.ggml.merges\"") }
    let kinds = try list("token_type") { try $0.integers("\"tokenizer.ggml.token_type\"") }
    guard kinds.count == tokens.count else {
      throw failure(
        "has \(tokens.count) tokens, but \(kinds.count) types of tokens; fetch it again")
    }
    let vocabulary = Dictionary(zip(tokens, tokens.indices.map { JSON.integer($0) })) { a, _ in a }
    guard vocabulary.count == tokens.count else {
      throw failure("two of its \(tokens.count) tokens are the same; fetch it again")
    }
    let added = tokens.indices.filter { [Kind.control, Kind.userDefined].contains(kinds[$0]) }
    let split: JSON = [
      "type": "Split", "pattern": ["Regex": .string(Tokenizer.qwen2Pattern)],
      "behavior": "Isolated", "invert": false,
    ]
    // The fields that the reader of the tokenizers library asks for stand there with its defaults.
    let bytes: JSON = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    ]
    return [
      "version": "1.0", "truncation": .null, "padding": .null, "normalizer": .null,
      "post_processor": .null,
      "model": [
        "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": "",
        "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
        "vocab": .object(vocabulary), "merges": .array(merges.map { .string($0) }),
      ],
      "pre_tokenizer": ["type": "Sequence", "pretokenizers": [split, bytes]],
      "decoder": bytes,
      "added_tokens": .array(
        added.map { id in
          [
            "id": .integer(id), "content": .string(tokens[id]), "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false,
            "special": .bool(kinds[id] == Kind.control),
          ]
        }),
    ]
  }
}
