// The parameters of a model: reading them from a folder by their published names, and drawing them.

import Tensor

/// The parameters of a model by their published names.
public typealias Parameters = [String: Tensor]

/// The sizes and names of an architecture, as its config.json gives them.
public protocol ModelConfig: Sendable {
  /// The published name of the architecture.
  var architecture: String { get }
  /// From sound to text.
  var stages: [StageSummary] { get }
  /// Bytes of keys and values that each position of the text takes.
  var cacheBytes: Int { get }
  /// Name and shape of every parameter, by the names of the published files.
  var parameterShapes: [String: [Int]] { get }
  /// The names under which files keep a parameter, the usual one first.
  func aliases(of name: String) -> [String]
  /// The table of positions that stands in where files omit it; nil where they may not.
  func substitute(for name: String) -> Tensor?
  /// Whether files may be without a parameter; they have all or none of the optional ones.
  func isOptional(_ name: String) -> Bool
  /// Whether files may hold a tensor of this name that the model does not use.
  func ignores(_ name: String) -> Bool
  /// Reads every parameter, checked for shape and finiteness.
  func weights(from checkpoint: Checkpoint) throws -> Weights
}

extension ModelConfig {
  public func aliases(of name: String) -> [String] { [name] }
  public func substitute(for name: String) -> Tensor? { nil }
  public func isOptional(_ name: String) -> Bool { false }
  public func ignores(_ name: String) -> Bool {
    // Buffers that the reference computes, and a head that is tied to the embeddings.
    name.hasSuffix("rotary_emb.inv_freq") || name.hasSuffix("position_ids")
      || name.hasSuffix("proj_out.weight") || name.hasSuffix("initialized")
  }

  public func weights(from checkpoint: Checkpoint) throws -> Weights {
    try weights(from: checkpoint, except: [])
  }

  /// Reads every parameter but those that are given.
  public func weights(from checkpoint: Checkpoint, with given: Parameters) throws -> Weights {
    var weights = try weights(from: checkpoint, except: Set(given.keys))
    weights.merge(Weights(given))
    return weights
  }

  /// Reads every parameter but those that are read in another way.
  func weights(from checkpoint: Checkpoint, except others: Set<String>) throws -> Weights {
    var weights = Weights([String: Matrix]())
    let extra = parameterShapes.keys.contains {
      isOptional($0) && checkpoint.contains(aliases(of: $0))
    }
    for (name, shape) in parameterShapes.sorted(by: { $0.key < $1.key }) {
      if others.contains(name) { continue }
      let aliases = aliases(of: name)
      if !extra && isOptional(name) { continue }
      if !checkpoint.contains(aliases), let table = substitute(for: name) {
        weights[name] = .float(table)
      } else {
        weights[name] = try checkpoint.matrix(aliases, shape: shape)
      }
    }
    return weights
  }
}

extension AudioLanguageConfig {
  /// The names of the language model's parameters, its head among them.
  public var languageModelParameters: Set<String> {
    Set(lm.parameterShapes(lmPrefix, head: headName).keys)
  }

  /// Parameters drawn at random.
  public func randomParameters(_ random: Random) -> Parameters {
    randomParameters(random, encoder) { name in
      name.hasPrefix(encoderPrefix) ? encoder.layers : lm.layers
    }
  }
}

extension ModelConfig {
  /// Parameters drawn at random: linear maps with a deviation of 0.7 / sqrt(inputs), smaller where
  /// they write to the residual stream; norms at 1; embeddings with 0.5.
  ///
  /// - Parameter depth: how many layers write to the stream that a parameter writes to
  func randomParameters(
    _ random: Random, _ encoder: EncoderConfig, depth: (String) -> Int
  ) -> Parameters {
    var parameters: Parameters = [:]
    for (name, shape) in parameterShapes {
      let stream = random.split(name)
      if name.hasSuffix("embed_positions.weight") {
        parameters[name] =
          shape[0] == encoder.positions
          ? (encoder.sinusoids * 0.3).detached : Tensor(shape, normal: 0.1, stream)
      } else if name.hasSuffix("bias") {
        parameters[name] = Tensor(shape)
      } else if shape.count == 1 {
        parameters[name] = Tensor(shape, repeating: 1)
      } else if name.hasSuffix("embed_tokens.weight") {
        parameters[name] = Tensor(shape, normal: 0.5, stream)
      } else {
        let inputs = Double(shape.dropFirst().reduce(1, *))
        var deviation = 0.7 / inputs.squareRoot()
        let writes = ["out_proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight"]
        if writes.contains(where: { name.hasSuffix($0) }) {
          deviation /= Double(2 * depth(name)).squareRoot()
        }
        parameters[name] = Tensor(shape, normal: deviation, stream)
      }
    }
    return parameters
  }
}
