// The name of one activation of a model, such as `encoder.3.resid_post` or `lm.4.attn.pattern`.
// Names follow TransformerLens where it has one.

import Tensor

/// A place in a model where an activation can be read, replaced or differentiated.
public struct Site: Hashable, Sendable, CustomStringConvertible {
  /// A stage of the chain from sound to text. Architectures add their own.
  public struct Stage: Hashable, Sendable, RawRepresentable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let encoder = Stage(rawValue: "encoder")
    public static let connector = Stage(rawValue: "connector")
    public static let lm = Stage(rawValue: "lm")
  }

  /// What is read there. Architectures add their own.
  public struct Activation: Hashable, Sendable, RawRepresentable {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    private init(_ rawValue: String) { self.rawValue = rawValue }

    public static let embed = Activation("embed")
    public static let residPre = Activation("resid_pre")
    /// Queries, keys and values as projected; `rot_` after the rotary positions.
    public static let q = Activation("attn.q")
    public static let rotQ = Activation("attn.rot_q")
    public static let k = Activation("attn.k")
    public static let rotK = Activation("attn.rot_k")
    public static let v = Activation("attn.v")
    public static let pattern = Activation("attn.pattern")
    /// What low-rank adapters add to queries and values.
    public static let loraQ = Activation("lora.q")
    public static let loraV = Activation("lora.v")
    /// What each head gathers, before the output projection.
    public static let z = Activation("attn.z")
    public static let attnOut = Activation("attn.out")
    public static let residMid = Activation("resid_mid")
    /// What the gate of a gated MLP lets through is decided by, before its nonlinearity.
    public static let mlpGate = Activation("mlp.gate")
    /// Before and after the nonlinearity (of a gated MLP: what is gated, and the product).
    public static let mlpPre = Activation("mlp.pre")
    public static let mlpPost = Activation("mlp.post")
    public static let mlpOut = Activation("mlp.out")
    public static let residPost = Activation("resid_post")
    /// 1 where a row of the connector becomes a token, 0 where it is dropped.
    public static let keep = Activation("keep")
    public static let final = Activation("final")
    public static let out = Activation("out")
    public static let logits = Activation("logits")
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

  /// A site of a stage as a whole.
  public init(_ stage: Stage, _ activation: Activation) { self.init(stage, nil, activation) }

  /// Reads a name: `stage.layer.activation`, or `stage.activation` where no layer is named. A stage
  /// with layers may have a dot in its name (`mimi.tr.0.resid_post`); nil where it has not the form
  /// of a name.
  public init?(_ name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let isName = parts.allSatisfy { part in
      !part.isEmpty && part.utf8.allSatisfy { (48...57) ~= $0 || (97...122) ~= $0 || $0 == 95 }
    }
    guard isName, parts.count >= 2, Int(parts[0]) == nil else { return nil }
    let numbered = parts.firstIndex { Int($0) != nil }
    let behind = numbered ?? 0
    guard behind < parts.count - 1 else { return nil }
    let stage = numbered.map { parts[..<$0] } ?? parts[...0]
    self.init(
      Stage(rawValue: stage.joined(separator: ".")), numbered.flatMap { Int(parts[$0]) },
      Activation(rawValue: parts[(behind + 1)...].joined(separator: ".")))
  }

  public var description: String {
    stage.rawValue + (layer.map { ".\($0)" } ?? "") + "." + activation.rawValue
  }
}

/// Called with activations as they are computed; what it returns takes the activation's place.
///
/// The tensor is [rows, width] in the layout of the site's stage; `attn.z` holds its heads side by
/// side, and `attn.pattern` the patterns of all sequences as `PatternLayout` says. What nobody listens
/// to need not be there as a whole: a tap that names its sites costs nothing elsewhere.
public struct Tap {
  /// The sites that it listens to; every site where nil.
  public let sites: Set<Site>?
  private let body: (Site, Tensor) -> Tensor

  public init(_ sites: Set<Site>? = nil, _ body: @escaping (Site, Tensor) -> Tensor) {
    self.sites = sites
    self.body = body
  }

  public func callAsFunction(_ site: Site, _ x: Tensor) -> Tensor {
    listens(to: site) ? body(site, x) : x
  }

  public func listens(to site: Site) -> Bool { sites?.contains(site) ?? true }

  /// Whether it listens to anything of a stage, or of one layer of it.
  public func listens(to stage: Site.Stage, _ layer: Int? = nil) -> Bool {
    sites?.contains { $0.stage == stage && (layer == nil || $0.layer == layer) } ?? true
  }

  /// Whether it listens to what a decoder's layer makes of its keys and values, or to the stage's end.
  func listens(to stage: Site.Stage, behindKeysOf layer: Int) -> Bool {
    guard let sites else { return true }
    let before: [Site.Activation] = [.residPre, .k, .rotK, .v, .loraV, .crossK, .crossV]
    return sites.contains {
      $0 == Site(stage, .final)
        || $0.stage == stage && $0.layer == layer && !before.contains($0.activation)
    }
  }

  /// What becomes of the patterns of a layer, where it listens to them.
  func seeing(_ stage: Site.Stage, _ layer: Int, _ pattern: Site.Activation = .pattern) -> (
    (Tensor) -> Tensor
  )? {
    let site = Site(stage, layer, pattern)
    return listens(to: site) ? { self(site, $0) } : nil
  }

  /// The same, with what passes at some more sites given to `keep`, as it is behind `tap`.
  static func keeping(
    _ more: Set<Site>, behind tap: Tap?, _ keep: @escaping (Site, Tensor) -> Void
  ) -> Tap {
    let sites: Set<Site>? = tap == nil ? more : tap!.sites.map { $0.union(more) }
    return Tap(sites) { site, x in
      let x = tap?(site, x) ?? x
      if more.contains(site) { keep(site, x) }
      return x
    }
  }
}
