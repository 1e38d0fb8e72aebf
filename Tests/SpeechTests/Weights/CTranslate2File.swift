// Writing CTranslate2's model.bin from the tensors of a Whisper, by code of the tests' own.

import Foundation
import JSON
import Speech
import Tensor

/// A model.bin as it is written, whose parts can be made wrong one at a time.
struct CTranslate2File {
  /// The types of numbers by CTranslate2's own codes.
  enum Kind: UInt8, CaseIterable {
    case float32 = 0
    case int8 = 1
    case int16 = 2
    case float16 = 4
    case bfloat16 = 5
  }

  struct Variable {
    var name: String
    var shape: [Int]
    var type: UInt8
    var values: [UInt8]
    /// What the file says of their length; that of the values where nil.
    var length: Int?

    init(_ name: String, _ shape: [Int], _ type: UInt8, _ values: [UInt8]) {
      (self.name, self.shape, self.type, self.values) = (name, shape, type, values)
    }
  }

  var version = 6
  var specification = "WhisperSpec"
  var revision = 3
  var variables: [Variable] = []
  var aliases: [(alias: String, name: String)] = []
  /// What the file says of their numbers; the right ones where nil.
  var count: Int?
  var aliasCount: Int?

  var bytes: [UInt8] {
    var out = little(version, 4) + text(specification) + little(revision, 4)
    out += little(count ?? variables.count, 4)
    for variable in variables {
      out += text(variable.name) + [UInt8(variable.shape.count)]
      for size in variable.shape { out += little(size, 4) }
      out += [variable.type] + little(variable.length ?? variable.values.count, 4)
      out += variable.values
    }
    out += little(aliasCount ?? aliases.count, 4)
    for (alias, name) in aliases { out += text(alias) + text(name) }
    return out
  }

  /// One variable by its name.
  subscript(name: String) -> Variable {
    get { variables.first { $0.name == name }! }
    set { variables[variables.firstIndex { $0.name == name }!] = newValue }
  }
}

private func little(_ value: Int, _ width: Int) -> [UInt8] {
  (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}

private func text(_ text: String) -> [UInt8] { little(text.utf8.count + 1, 2) + text.utf8 + [0] }

// ## A Whisper

extension CTranslate2File {
  /// The variables of a Whisper, by its parameters under their Hugging Face names.
  ///
  /// - Parameter heads: what the file says of them; nothing where nil
  init(_ parameters: Parameters, _ kind: Kind, heads: Int?) {
    let isTied = parameters["proj_out.weight"] == nil
    func layers(_ stage: String) -> Int {
      (0...).first { parameters["model.\(stage).layers.\($0).fc1.bias"] == nil }!
    }
    func add(_ name: String, _ tensors: String..., to kinds: [(String, String)]) {
      for (own, there) in kinds {
        // Keys have no bias; the file holds zeros in its place.
        let all = tensors.map { tensor in
          parameters["\(tensor).\(there)"]
            ?? Tensor([parameters["\(tensor).weight"]!.shape[0]], repeating: 0)
        }
        let shape = [all.reduce(0) { $0 + $1.shape[0] }] + all[0].shape.dropFirst()
        // Biases and norms are never quantised.
        append(
          "\(name)/\(own)", Tensor(shape, all.flatMap(\.numbers)), isMatrix: own == "weight", kind)
      }
    }
    let linear = [("weight", "weight"), ("bias", "bias")]
    let norm = [("gamma", "weight"), ("beta", "bias")]
    for stage in ["decoder", "encoder"] {
      let model = "model.\(stage)"
      for i in 0..<layers(stage) {
        let (own, there) = ("\(stage)/layer_\(i)", "\(model).layers.\(i)")
        let attention = "\(there).self_attn"
        add("\(own)/self_attention/layer_norm", "\(attention)_layer_norm", to: norm)
        add(
          "\(own)/self_attention/linear_0", "\(attention).q_proj", "\(attention).k_proj",
          "\(attention).v_proj", to: linear)
        add("\(own)/self_attention/linear_1", "\(attention).out_proj", to: linear)
        add("\(own)/ffn/layer_norm", "\(there).final_layer_norm", to: norm)
        add("\(own)/ffn/linear_0", "\(there).fc1", to: linear)
        add("\(own)/ffn/linear_1", "\(there).fc2", to: linear)
        guard stage == "decoder" else { continue }
        let cross = "\(there).encoder_attn"
        add("\(own)/attention/layer_norm", "\(cross)_layer_norm", to: norm)
        add("\(own)/attention/linear_0", "\(cross).q_proj", to: linear)
        add("\(own)/attention/linear_1", "\(cross).k_proj", "\(cross).v_proj", to: linear)
        add("\(own)/attention/linear_2", "\(cross).out_proj", to: linear)
      }
      add("\(stage)/layer_norm", "\(model).layer_norm", to: norm)
      add(
        "\(stage)/position_encodings", "\(model).embed_positions", to: [("encodings", "weight")])
      if let heads {
        variables.append(Variable("\(stage)/num_heads", [], Kind.int16.rawValue, little(heads, 2)))
      }
    }
    for name in ["conv1", "conv2"] { add("encoder/\(name)", "model.encoder.\(name)", to: linear) }
    add("decoder/embeddings", "model.decoder.embed_tokens", to: [("weight", "weight")])
    for (name, value) in [("activation", 3), ("pre_norm", 1), ("scale_embeddings", 0)] {
      variables.append(Variable("decoder/\(name)", [], Kind.int8.rawValue, [UInt8(value)]))
    }
    if isTied {
      aliases = [("decoder/projection/weight", "decoder/embeddings/weight")]
      if kind == .int8 {
        aliases.append(("decoder/projection/weight_scale", "decoder/embeddings/weight_scale"))
      }
    } else {
      add("decoder/projection", "proj_out", to: [("weight", "weight")])
    }
  }

  private mutating func append(_ name: String, _ tensor: Tensor, isMatrix: Bool, _ kind: Kind) {
    switch kind {
    case .int8 where isMatrix:
      let (values, scales) = quantised(tensor)
      variables.append(
        Variable(name, tensor.shape, kind.rawValue, values.map { UInt8(bitPattern: $0) }))
      variables.append(
        Variable(name + "_scale", [tensor.shape[0]], 0, scales.flatMap { bits($0, .float32) }))
    case .int8: variables.append(Variable(name, tensor.shape, 0, bytes(tensor, .float32)))
    default: variables.append(Variable(name, tensor.shape, kind.rawValue, bytes(tensor, kind)))
    }
  }

  private func bytes(_ tensor: Tensor, _ kind: Kind) -> [UInt8] {
    tensor.numbers.flatMap { bits($0, kind) }
  }

  private func bits(_ number: Float, _ kind: Kind) -> [UInt8] {
    switch kind {
    case .float32: little(Int(number.bitPattern), 4)
    case .float16: little(Int(Float16(number).bitPattern), 2)
    case .bfloat16: little(Int(roundedToBF16(number).bitPattern >> 16), 2)
    default: preconditionFailure("\(kind)")
    }
  }
}

/// A tensor's rows as whole numbers from -127 to 127, and what each row was multiplied by.
func quantised(_ tensor: Tensor) -> (values: [Int8], scales: [Float]) {
  let width = tensor.count / tensor.shape[0]
  let numbers = tensor.numbers
  var (values, scales) = ([Int8](), [Float]())
  for row in 0..<tensor.shape[0] {
    let own = numbers[(row * width)..<((row + 1) * width)]
    let largest = own.map(abs).max()!
    let scale = largest == 0 ? 1 : 127 / largest
    values += own.map { Int8(($0 * scale).rounded(.toNearestOrEven)) }
    scales.append(scale)
  }
  return (values, scales)
}

/// The numbers that are left of a parameter in a file of this kind.
func kept(_ tensor: Tensor, _ kind: CTranslate2File.Kind, isMatrix: Bool) -> Tensor {
  switch kind {
  case .float16: return Tensor(tensor.shape, tensor.numbers.map { Float(Float16($0)) })
  case .bfloat16: return Tensor(tensor.shape, tensor.numbers.map(roundedToBF16))
  case .int8 where isMatrix:
    let (values, scales) = quantised(tensor)
    let width = tensor.count / tensor.shape[0]
    return Tensor(
      tensor.shape, values.enumerated().map { Float($1) / scales[$0 / width] })
  default: return tensor
  }
}
