// Exact patching: what the model says when some activations of the base run are replaced. The plain
// way runs the model from the sound on for every intervention; where a run can be resumed
// (Resuming.swift) the result has the same bits.

import Speech
import Tensor

extension SpeechLanguageModel {
  /// What the base run says with each intervention.
  ///
  /// - Parameters:
  ///   - interventions: each a set of patches that act together
  ///   - reference: the run to which the divergence is taken, such as the clean one
  ///   - resuming: false runs the model from the sound on for every intervention, as a check
  ///   - skipping: interventions that cannot change anything are not computed: those whose new rows
  ///     are the base's to the bit, and those that no logit reads
  /// - Throws: where a site is unknown, or a head, neuron or position is not there.
  public func patched(
    _ base: Trace, _ interventions: [[Patch]], reference: Trace? = nil, resuming: Bool = true,
    skipping: Bool = true
  ) throws -> [Outcome] {
    for patch in interventions.joined() { try check(patch, in: base) }
    let question = base.question
    let reference = reference.map { question.nextToken($0.logits) }
    let unchanged = question.outcome(base.logits, against: reference)
    var outcomes = [Outcome](repeating: unchanged, count: interventions.count)
    let order = Order(self)
    let pending = interventions.indices.filter { i in
      !(skipping && interventions[i].allSatisfy { isInert($0, in: base, order) })
    }
    let found = try logits(
      base, pending.map { interventions[$0] }, order, resuming: resuming
    ) { question.outcome($0, against: reference) }
    for (i, outcome) in zip(pending, found) {
      guard outcome.isFinite else {
        let sites = interventions[i].map { "\($0.site)" }.joined(separator: ", ")
        throw CellError(
          "with \(sites) patched the model's logits are no numbers: what is put there is far too large; take a "
            + "smaller share")
      }
      outcomes[i] = outcome
    }
    return outcomes
  }

  /// The logits that the base run's question reads with each intervention, [reads, vocabulary].
  func logits(_ base: Trace, _ interventions: [[Patch]]) throws -> [Tensor] {
    try logits(base, interventions, Order(self), resuming: true) { $0 }
  }

  /// What `read` takes from the logits of each intervention, as soon as they are there: those of a whole
  /// map, each as wide as the vocabulary, would be more than all the runs that are under way.
  private func logits<Value: Sendable>(
    _ base: Trace, _ interventions: [[Patch]], _ order: Order, resuming: Bool,
    read: @Sendable (Tensor) -> Value
  ) throws -> [Value] {
    let starts = interventions.map { resuming ? order.start(of: $0, base) : nil }
    let plain = interventions.indices.filter { starts[$0] == nil }
    var results = [Value?](repeating: nil, count: interventions.count)
    let reruns = try mapInParallel(plain.count) { read(try rerun(base, interventions[plain[$0]])) }
    for (i, value) in zip(plain, reruns) { results[i] = value }
    let pending = interventions.indices.compactMap { i in
      starts[i].map { Pending(index: i, cut: $0, patches: interventions[i]) }
    }
    for (i, value) in try resumed(base, pending, order, read: read) { results[i] = value }
    return results.map { $0! }
  }

  func check(_ patch: Patch, in base: Trace) throws {
    try check(patch.site)
    let place = try base.place(of: patch.site)
    guard patch.positions.allSatisfy(place.rows.indices.contains) else {
      throw CellError("\(patch.site): the base run has \(place.rows.count) positions there")
    }
    if let index = patch.index, place.heads > 1, index >= place.heads {
      throw CellError("\(patch.site)[\(index)]: the site has \(place.heads) heads, counted from 0")
    }
  }

  /// Whether a patch cannot change what is read.
  private func isInert(_ patch: Patch, in base: Trace, _ order: Order) -> Bool {
    if patch.positions.isEmpty || order.isUnread(patch, in: base) { return true }
    guard let own = try? base.rows(of: Cell(patch.site, index: patch.index), at: patch.positions)
    else { return false }
    return patch.change(own).isIdentical(to: own)
  }

  /// The logits that are read after a full run from the sound on.
  private func rerun(_ base: Trace, _ patches: [Patch]) throws -> Tensor {
    let bySite = Dictionary(grouping: patches, by: \.site)
    let places = Dictionary(
      uniqueKeysWithValues: try bySite.keys.map { ($0, try base.place(of: $0)) })
    let tap = Tap(Set(bySite.keys)) { site, x in
      Patch.applying(bySite[site]!, to: x, at: places[site]!)
    }
    let run = try self.run(base.question.input, tap: tap)
    return gatherRows(run.logits, base.question.reads(of: run.logits.rows))
  }
}

/// The order of a model's sites along its chain.
struct Order {
  let cuts: [Cut]
  /// The last cut before the logits.
  let last: Int
  /// Where the text is, and the depth of its last layer.
  private let text: Site.Stage
  private let lastLayer: Int?
  /// Whether that is text; a codec's latents are not.
  private let hasText: Bool
  private let before: [Site: Int]
  private let places: [Site: Int]

  init(_ model: some SpeechLanguageModel) {
    cuts = model.cuts
    last = cuts.lastIndex { $0.kind != .spoken }!
    (text, lastLayer) = (cuts[last].site.stage, cuts[last].site.layer)
    hasText = model.sites.contains(Site(text, .logits))
    let own = Dictionary(uniqueKeysWithValues: cuts.enumerated().map { ($1.site, $0) })
    var (before, cut) = ([Site: Int](), -1)
    for site in model.sites {
      if own[site] != nil { cut += 1 }
      if cut >= 0 { before[site] = cut }
    }
    self.before = before
    places = Dictionary(uniqueKeysWithValues: model.sites.enumerated().map { ($1, $0) })
  }

  /// Whether a site's positions are those of the text, which grow with every token that is said.
  func isSaid(_ site: Site) -> Bool {
    site.stage == text && site.activation != .crossK && site.activation != .crossV
  }

  /// The last cut that a run passes before it computes a site, or that is the site.
  func cut(before site: Site) -> Int? { before[site] }

  /// The cut from which a run with these patches goes on; nil where it needs a full run.
  func start(of patches: [Patch], _ base: Trace) -> Int? {
    let entries = patches.map { entry(of: $0.site, base) }
    // Of the logits only those that are read are there in a run that is resumed.
    guard !entries.contains(nil), !patches.contains(where: { $0.site == Site(text, .logits) }),
      let first = entries.compactMap({ $0 }).min(),
      first < base.states.count, entries.allSatisfy({ $0! <= last }),
      !patches.contains(where: { base.states[first].isLaidOutAhead($0.site) })
    else { return nil }
    return first
  }

  /// The last cut at which a site's activation can still be changed: the one before it, or a later one
  /// beside which it passes unread.
  private func entry(of site: Site, _ base: Trace) -> Int? {
    guard var cut = before[site] else { return nil }
    while cut + 1 < base.states.count, base.states[cut + 1].stream(waiting: site) != nil {
      cut += 1
    }
    return cut
  }

  /// Whether no logit reads what a patch changes: what lies behind the logits, and positions behind
  /// the last layer's keys and values other than those that are read.
  func isUnread(_ patch: Patch, in base: Trace) -> Bool {
    let logits = Site(text, .logits)
    if patch.site != logits, let end = places[logits], places[patch.site]! > end { return true }
    guard patch.site.stage == text, patch.site != logits, hasText
    else { return false }
    let name = patch.site.activation
    let reaching: [Site.Activation] = [.residPre, .k, .rotK, .v, .loraV]
    let isBehind =
      patch.site.layer == nil
      ? name != .embed && cut(before: patch.site) == last
      : patch.site.layer == lastLayer && !reaching.contains(name)
        && !["pattern", "cross.k", "cross.v"].contains { name.rawValue.hasSuffix($0) }
    return isBehind && !patch.positions.contains(where: base.reads.contains)
  }
}
