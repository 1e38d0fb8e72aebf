// The name of one activation of a model, such as `encoder.3.resid_post` or `lm.4.attn.pattern`.
// Names follow TransformerLens where it has one.

import Tensor

/// A place in a model where an activation can be read, replaced or differentiated.
public struct Site: Hashable, Sendable, CustomStringConvertible {
  /// A stage of the chain from sound to text.
  public enum Stage: String, Sendable, CaseIterable {
    case encoder, connector, lm
  }

  /// What is read there.
  public enum Activation: String, Sendable, CaseIterable {
    case embed
    case residPre = "resid_pre"
    case k = "attn.k"
    case rotK = "attn.rot_k"
    case v = "attn.v"
    case z = "attn.z"
    case pattern = "attn.pattern"
    case attnOut = "attn.out"
    case residMid = "resid_mid"
    case mlpPost = "mlp.post"
    case mlpOut = "mlp.out"
    case residPost = "resid_post"
    case final
    case out
    case logits
  }

  public let stage: Stage
  /// The layer, or nil for a site of the stage as a whole.
  public let layer: Int?
  public let activation: Activation

  public init(_ stage: Stage, _ layer: Int? = nil, _ activation: Activation) {
    self.stage = stage
    self.layer = layer
    self.activation = activation
  }

  /// Reads a name; nil where it has not the form of one.
  public init?(_ name: String) {
    let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let stage = Stage(rawValue: String(parts[0])) else { return nil }
    var rest = parts[1]
    var layer: Int?
    if let dot = rest.firstIndex(of: "."), let index = Int(rest[..<dot]), index >= 0 {
      layer = index
      rest = rest[rest.index(after: dot)...]
    }
    guard let activation = Activation(rawValue: String(rest)) else { return nil }
    self.init(stage, layer, activation)
  }

  public var description: String {
    stage.rawValue + (layer.map { ".\($0)" } ?? "") + "." + activation.rawValue
  }
}

/// Called with every activation as it is computed; what it returns takes the activation's place.
///
/// The tensor is [rows, width] in the layout of the site's stage; `attn.z` holds its heads side by
/// side, and `attn.pattern` the patterns of all sequences as `PatternLayout` says.
public typealias Tap = (Site, Tensor) -> Tensor
