// Path patching (Wang et al., 2022, arXiv 2211.00593; Goldowsky-Dill et al., 2023, arXiv 2304.05969): what
// one component does to the logits through one reader of the residual stream (`paper/definitions.md`, D171).

import Speech
import Tensor

/// What reads the residual stream: queries, keys or values of a layer or of one head, or an MLP.
///
/// An MLP is named by `mlp.post`, through which alone its input acts. Several cells take their values
/// together.
public struct PathReceiver: Hashable, Sendable {
  public let name: String
  public let cells: [Cell]

  public init(_ name: String, _ cells: [Cell]) {
    self.name = name
    self.cells = cells
  }

  public init(_ cell: Cell) { self.init("\(cell)", [cell]) }
}

/// The logits that are read, [reads, vocabulary], when a sender takes another value.
public struct PathLogits: Sendable {
  /// Everything follows.
  public let whole: Tensor
  /// Each receiver alone sees it, and what comes behind follows.
  public let through: [Tensor]
  /// Nothing but the last norm and the head sees it.
  public let direct: Tensor
}

/// What a sender's other value does to the logit difference, in nats.
public struct PathEffects: Codable, Sendable, Equatable {
  public let whole: Double
  /// Through each receiver alone; nil where the receiver does not lie behind the sender.
  public let through: [Double?]
  public let direct: Double

  public init(whole: Double, through: [Double?], direct: Double) {
    (self.whole, self.through, self.direct) = (whole, through, direct)
  }

  /// Over all paths: the whole effect where receivers are all there are and none needs another.
  public var sum: Double { through.reduce(direct) { $0 + ($1 ?? 0) } }
}

extension SpeechLanguageModel {
  /// All that reads a residual stream up to the logits, by layer, in the order of `sites`: together with the
  /// logits themselves every path begins with one of them.
  public var pathReceivers: [PathReceiver] {
    let order = PathOrder(self)
    return sites.filter(order.isReceiver).map { PathReceiver(Cell($0)) }
  }

  /// The receivers that can see what a sender writes.
  public func receivers(_ receivers: [PathReceiver], behind sender: Site) -> [PathReceiver] {
    let order = PathOrder(self)
    return receivers.filter { receiver in
      receiver.cells.allSatisfy { order.reason(against: $0.site, behind: sender) == nil }
    }
  }

  /// What the base run has to keep for paths through some receivers, its senders aside.
  public func pathSites(_ receivers: [PathReceiver]) -> [Site] {
    let own = Set(PathOrder(self).writers + receivers.flatMap(\.cells).map(\.site))
    return sites.filter(own.contains)
  }

  /// The logits with a sender's other value along each path.
  ///
  /// First the sender is changed while every later attention and MLP writes what it wrote in the base run:
  /// the change reaches receivers along the residual stream alone, through norms and, from encoder to
  /// language model, through the connector. What a receiver makes of it is then put into the base run, where
  /// everything behind is computed anew.
  ///
  /// - Parameters:
  ///   - base: has kept `pathSites`, and the sender's site where its change needs it
  ///   - sender: changes what a component writes: a head's `attn.z`, `attn.out`, `mlp.out`, the connector's
  ///     `out`, an `embed`
  /// - Throws: where the sender writes nothing, a receiver reads nothing or does not lie behind it, or the
  ///   base run has not kept what is needed.
  public func pathLogits(
    _ base: Trace, from sender: Patch, through receivers: [PathReceiver]
  ) throws -> PathLogits {
    let order = PathOrder(self)
    try check(sender, in: base)
    try order.check(sender: sender.site)
    for cell in receivers.flatMap(\.cells) {
      try check(cell.site)
      if let reason = order.reason(against: cell.site, behind: sender.site) {
        throw CellError(reason)
      }
    }
    if sites.contains(where: { $0.activation == .keep }), base.question.input.kept == nil {
      throw CellError(
        "the sound decides which frames become tokens, and a path may not change them; trace the question "
          + "with keepingFrames(of:)")
    }
    let frozen = try order.frozen(behind: sender.site).map { site -> Patch in
      let all = try base.place(of: site).rows.indices
      return Patch(
        site, positions: Array(all), taking: try base.rows(of: Cell(site), at: Array(all)))
    }
    let wanted = Set(receivers.flatMap(\.cells).map(\.site))
    let bare = try trace(
      base.question, keeping: sites.filter(wanted.contains), recording: false,
      patches: [sender] + frozen, like: base)
    let seen = try receivers.map { receiver in
      try receiver.cells.compactMap { try bare.difference(from: base, at: $0) }
    }
    // What sees no change leaves the base run as it is.
    let changing = seen.indices.filter { !seen[$0].isEmpty }
    let found = try logits(base, [[sender]] + changing.map { seen[$0] })
    var through = [Tensor](repeating: base.logits, count: receivers.count)
    for (i, logits) in zip(changing, found.dropFirst()) { through[i] = logits }
    return PathLogits(whole: found[0], through: through, direct: bare.logits)
  }

  /// The effects of a sender along its paths, in nats; nil through receivers that do not lie behind it.
  ///
  /// - Throws: what `pathLogits` throws.
  public func pathEffects(
    _ base: Trace, from sender: Patch, through receivers: [PathReceiver]
  ) throws -> PathEffects {
    for cell in receivers.flatMap(\.cells) { try check(cell.site) }
    let behind = self.receivers(receivers, behind: sender.site)
    let logits = try pathLogits(base, from: sender, through: behind)
    func effect(_ logits: Tensor) -> Double {
      base.question.logitDifference(logits) - base.logitDifference
    }
    let found = Dictionary(zip(behind, logits.through.map(effect))) { first, _ in first }
    return PathEffects(
      whole: effect(logits.whole), through: receivers.map { found[$0] },
      direct: effect(logits.direct))
  }
}

extension Trace {
  /// The patch that makes of the base run's values at a cell those of this run, in the positions where they
  /// differ; nil where there are none.
  fileprivate func difference(from base: Trace, at cell: Cell) throws -> Patch? {
    let positions = cell.window.positions(in: try base.place(of: cell.site).spans)
    guard !positions.isEmpty else {
      throw CellError("\(cell): the window holds no position of the base run; name another one")
    }
    let (own, new) = (
      try base.rows(of: cell, at: positions), try rows(of: cell, at: positions)
    )
    let (a, b) = (own.numbers, new.numbers)
    let differing = positions.indices.filter { row in
      (row * own.width..<(row + 1) * own.width).contains { a[$0] != b[$0] }
    }
    guard !differing.isEmpty else { return nil }
    return Patch(
      cell.site, positions: differing.map { positions[$0] }, index: cell.index,
      taking: gatherRows(new, differing))
  }
}

/// What writes to a model's residual streams and what reads them, in the order of computation.
private struct PathOrder {
  /// What attentions and MLPs write, up to the logits.
  let writers: [Site]
  private let places: [Site: Int]
  /// Stages made of layers around a residual stream. What lies between two of them, such as a connector with
  /// its own attention, only passes on.
  private let stages: Set<Site.Stage>
  private let branches: Set<Site.Stage>
  private let text: Site.Stage
  private let end: Int

  private static func named(_ name: String) -> Site.Activation { Site.Activation(rawValue: name) }
  private static let (crossQ, crossOut) = (named("cross.q"), named("cross.out"))

  init(_ model: some SpeechLanguageModel) {
    let places = Dictionary(uniqueKeysWithValues: model.sites.enumerated().map { ($1, $0) })
    let stages = Set(
      model.sites.filter { $0.layer != nil && $0.activation == .attnOut }.map(\.stage))
    let text = model.cutsToText[model.cutsToText.count - 1].site.stage
    let end = places[Site(text, .logits)] ?? model.sites.count
    let written: [Site.Activation] = [.attnOut, PathOrder.crossOut, .mlpOut]
    writers = model.sites.filter {
      stages.contains($0.stage) && written.contains($0.activation) && places[$0]! < end
    }
    branches = Set(model.cuts.filter { $0.kind == .branch }.map(\.site.stage))
    (self.places, self.stages, self.text, self.end) = (places, stages, text, end)
  }

  func isReceiver(_ site: Site) -> Bool {
    let reading: [Site.Activation] = [
      .q, .k, .v, PathOrder.crossQ, .crossK, .crossV, .mlpPost,
    ]
    return stages.contains(site.stage) && reading.contains(site.activation)
      && places[site].map { $0 < end } == true
  }

  func check(sender: Site) throws {
    let parts: [Site.Activation] = [
      .z, .attnOut, .crossZ, PathOrder.crossOut, .mlpPost, .mlpOut,
    ]
    let isPart = stages.contains(sender.stage) && parts.contains(sender.activation)
    let isWhole = sender.layer == nil && [.embed, .out, .final].contains(sender.activation)
    guard isPart || isWhole, places[sender].map({ $0 < end }) == true else {
      throw CellError(
        "\(sender): is not what a component writes on the way to the logits, so that no path begins there; "
          + "name a head's attn.z, an attn.out, an mlp.out, the connector's out or an embed")
    }
  }

  /// Writers that come after a sender, without the one that its change passes.
  func frozen(behind sender: Site) -> [Site] {
    let carrying: [Site.Activation: Site.Activation] = [
      .z: .attnOut, .crossZ: PathOrder.crossOut, .mlpPost: .mlpOut,
    ]
    let carrier = carrying[sender.activation].map { Site(sender.stage, sender.layer, $0) }
    return writers.filter { places[$0]! > places[sender]! && $0 != carrier }
  }

  /// Why no path leads from a sender to a site; nil where one does.
  func reason(against receiver: Site, behind sender: Site) -> String? {
    guard isReceiver(receiver) else {
      return
        "\(receiver): is not what a head or an MLP reads on the way to the logits; name attn.q, "
        + "attn.k or attn.v (before rotary positions), those of cross, or mlp.post"
    }
    guard let here = places[receiver], let there = places[sender], there < here else {
      return
        "\(receiver): is computed before \(sender), so that no path leads from there to it; name a "
        + "later receiver or an earlier sender"
    }
    let isOfSound = receiver.activation == .crossK || receiver.activation == .crossV
    if isOfSound && sender.stage == receiver.stage
      || branches.contains(sender.stage) && receiver.stage != sender.stage && receiver.stage != text
    {
      return "\(receiver): does not read the residual stream that \(sender) is written to; name a "
        + "receiver that does"
    }
    return nil
  }
}
