// The checkpoints that the package ships: sizes, and how each is trained.

import ArgumentParser
import JSON
import Speech
import Tensor

/// What ties the sound to what is said while a model learns to answer.
enum Auxiliary: String, Sendable {
  /// The phone at each encoder position and the word at each audio token, from known boundaries.
  case frames
  /// The same phones and words in order, without boundaries (CTC).
  case connectionist
  /// The words in order at the connector's own CTC head (Soundwave), which decides what is kept.
  case alignment
  /// Nothing but the answers.
  case nothing

  /// Whether it reads phones at the encoder's output.
  var namesPhones: Bool { self == .frames || self == .connectionist }
}

/// One checkpoint.
struct Recipe: Sendable {
  let name: String
  /// The published name of the architecture.
  let architecture: String
  let connector: String
  /// config.json.
  let config: JSON
  let auxiliary: Auxiliary
  /// The checkpoint whose encoder and language model it begins with, by its name.
  let warmStart: String?
  let stages: [Stage]
  /// What every draw of the run follows from.
  var seed: UInt64 = 20_011
  /// One of how many training utterances is heard; what text alone teaches has them all.
  var oneOf = 1
  /// Which study it was trained for; nil for those that the package ships.
  var study: TrainingStudy?

  var folder: String { study == nil ? "artifacts/\(name)" : "build/trained/\(name)" }

  /// All that the weights follow from, the same text in every process: what describes a dictionary does not
  /// name its entries in one order.
  var key: String {
    [
      name, architecture, connector, config.compactText, auxiliary.rawValue, warmStart ?? "nothing",
      stages.map { "\($0.kind) \($0.steps) \($0.batch) \($0.peakRate)" }.joined(separator: ", "),
      "\(seed)", "\(oneOf)", study?.rawValue ?? "shipped",
    ].joined(separator: "; ")
  }

  static let names = all.map(\.name)

  /// - Throws: where a name is that of no recipe
  static func check(_ names: [String]) throws {
    for name in names where !Recipe.names.contains(name) {
      throw ValidationError(
        "no checkpoint \"\(name)\"; there are \(Recipe.names.joined(separator: ", "))")
    }
  }

  static var all: [Recipe] {
    [
      Recipe(
        name: "qwen2-audio-small", architecture: "Qwen2-Audio",
        connector: "average pooling over two positions and a linear map",
        config: qwen2Audio, auxiliary: .frames, warmStart: nil, stages: fromNothing),
      Recipe(
        name: "salmonn-small", architecture: "SALMONN",
        connector:
          "a query transformer over windows of 120 ms, which reads the speech encoder and a "
          + "BEATs branch",
        config: salmonn, auxiliary: .frames, warmStart: "qwen2-audio-small",
        stages: [
          Stage(kind: .sound, steps: 700, batch: 16, peakRate: 2e-3),
          Stage(kind: .joint, steps: 700, batch: 16, peakRate: 7e-4),
        ]),
      Recipe(
        name: "soundwave-small", architecture: "Soundwave",
        connector: "an alignment adapter whose CTC classes decide which frames are kept, and "
          + "look-back attention",
        config: soundwave, auxiliary: .alignment, warmStart: "qwen2-audio-small",
        stages: [
          Stage(kind: .encoder, steps: 400, batch: 16, peakRate: 2e-3),
          Stage(kind: .sound, steps: 400, batch: 16, peakRate: 2e-3),
          Stage(kind: .joint, steps: 1600, batch: 16, peakRate: 1e-3),
        ]),
      Recipe(
        name: "qwen2-audio-ctc-small", architecture: "Qwen2-Audio",
        connector: "average pooling over two positions and a linear map",
        config: qwen2Audio, auxiliary: .connectionist, warmStart: nil, stages: fromNothing),
    ]
  }

  /// The language model first learns which colour and number go with which thing, one position a
  /// word; then all tasks at the pace of speech; then comes the sound.
  static let fromNothing = [
    Stage(kind: .binding, steps: 2400, batch: 32, peakRate: 2e-3),
    Stage(kind: .languageModel, steps: 700, batch: 32, peakRate: 1e-3),
    Stage(kind: .encoder, steps: 600, batch: 16, peakRate: 3e-3),
    Stage(kind: .sound, steps: 2400, batch: 16, peakRate: 2.5e-3),
    Stage(kind: .joint, steps: 3200, batch: 16, peakRate: 1e-3),
  ]

  // ## Sizes, the same for all where the architectures share a part

  static let positions = 150
  private static let (encoderWidth, encoderLayers, encoderHeads) = (96, 3, 3)
  private static let (width, layers, heads, mlp) = (128, 5, 4, 352)
  static let longest = 320

  static let tokenizer: (text: String, tokens: [String]) = {
    let text = try! Tokenizer.wordLevel(words: Lexicon.vocabulary, special: Lexicon.special)
    return (text, Lexicon.special + Lexicon.vocabulary)
  }()

  static func token(_ name: String) -> Int { tokenizer.tokens.firstIndex(of: name)! }

  static var endToken: Int { token("<|endoftext|>") }

  private static var qwen2Audio: JSON {
    var config = Qwen2AudioConfig()
    config.melBands = 80
    config.encoderWidth = encoderWidth
    config.encoderLayers = encoderLayers
    config.encoderHeads = encoderHeads
    config.encoderMLP = 4 * encoderWidth
    config.maxSourcePositions = positions
    config.width = width
    config.layers = layers
    config.heads = heads
    config.keyHeads = heads
    config.mlp = mlp
    config.maxPositions = longest
    config.epsilon = 1e-5
    config.vocabulary = tokenizer.tokens.count
    config.audioToken = token("<|AUDIO|>")
    return config.json(endToken: endToken)
  }

  private static var whisper: JSON {
    [
      "model_type": "whisper", "num_mel_bins": 80, "d_model": .integer(encoderWidth),
      "encoder_layers": .integer(encoderLayers),
      "encoder_attention_heads": .integer(encoderHeads),
      "encoder_ffn_dim": .integer(4 * encoderWidth), "max_source_positions": .integer(positions),
      "activation_function": "gelu", "scale_embedding": false,
    ]
  }

  private static var llama: [String: JSON] {
    [
      "vocab_size": .integer(tokenizer.tokens.count), "hidden_size": .integer(width),
      "intermediate_size": .integer(mlp), "num_hidden_layers": .integer(layers),
      "num_attention_heads": .integer(heads), "num_key_value_heads": .integer(heads),
      "max_position_embeddings": .integer(longest), "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
      "hidden_act": "silu", "tie_word_embeddings": false, "bos_token_id": .integer(token("<s>")),
      "eos_token_id": .integer(endToken),
    ]
  }

  private static var salmonn: JSON {
    [
      "model_type": "salmonn", "torch_dtype": "bfloat16",
      "model": [
        "freeze_whisper": true, "freeze_beats": true, "use_speech_Qformer": true,
        "num_speech_query_token": 1, "window_level_Qformer": true, "second_per_window": 0.12,
        "second_stride": 0.12, "lora": true, "lora_rank": 8, "lora_alpha": 32,
        "lora_dropout": 0.1, "prompt_template": "USER: {}\nASSISTANT:", "max_txt_len": 300,
        "end_sym": "</s>",
      ],
      "whisper": whisper,
      "beats": [
        "input_patch_size": 16, "embed_dim": 32, "conv_bias": false, "encoder_layers": 2,
        "encoder_embed_dim": 48, "encoder_ffn_embed_dim": 96, "encoder_attention_heads": 3,
        "activation_fn": "gelu", "layer_wise_gradient_decay_ratio": 1.0,
        "layer_norm_first": false, "deep_norm": true, "conv_pos": 16, "conv_pos_groups": 4,
        "relative_position_embedding": true, "num_buckets": 32, "max_distance": 128,
        "gru_rel_pos": true, "finetuned_model": true, "predictor_class": 1,
      ],
      "qformer": [
        "hidden_size": 96, "num_attention_heads": 4, "intermediate_size": 192,
        "num_hidden_layers": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "encoder_width": .integer(encoderWidth + 48), "cross_attention_freq": 1,
        "add_cross_attention": true, "query_length": 1,
      ],
      "llama": .object(llama.merging(["model_type": "llama"]) { $1 }),
    ]
  }

  private static var soundwave: JSON {
    .object(
      llama.merging([
        "architectures": ["SoundwaveForCausalLM"], "model_type": "Soundwave",
        "torch_dtype": "bfloat16", "audio_tower": "audio_tower", "audio_tower_config": whisper,
        "attention_bias": false, "mlp_bias": false, "adapter_size": .integer(encoderWidth),
        "audio_patch_size": 1, "audio_patch_token": .integer(token("<audio_patch>")),
        "llm_pad_token_id": .integer(token("<|endoftext|>")),
        "audio_token_len": .integer(positions / 2),
      ]) { $1 })
  }
}

/// One stage of training.
struct Stage: Sendable {
  enum Kind: String, Sendable { case binding, languageModel, encoder, sound, joint }

  let kind: Kind
  var steps: Int
  let batch: Int
  let peakRate: Float

  /// Linear warm-up over a twentieth, then a cosine down to 2%.
  func rate(_ step: Int) -> Float {
    let warm = max(1, min(100, steps / 20))
    if step < warm { return peakRate * Float(step + 1) / Float(warm) }
    let progress = Double(step - warm) / Double(max(1, steps - warm))
    return peakRate * Float(0.02 + 0.98 * (0.5 + 0.5 * Elementary.cos(.pi * progress)))
  }

  /// Whether it hears no sound: words stand for it.
  var isText: Bool { kind == .binding || kind == .languageModel }
}
