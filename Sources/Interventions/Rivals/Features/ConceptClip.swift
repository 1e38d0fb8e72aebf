// A recording at one site, position by position, with what is spoken there: what features are retrieved from
// (`paper/definitions.md`, D165).

import Corpus
import Speech
import Tensor

/// One recording at one site, with what is known of each position.
public struct ConceptClip: Sendable {
  public let file: String
  /// Of those that share one, at most one is retrieved: the members of a pair are nearly the same clip.
  public let group: String
  /// [positions, width].
  public let rows: Tensor
  /// By position: the stretch of sound in milliseconds, and the phone in which its middle lies.
  public let spans: [TimeSpan]
  public let phones: [String]
  /// What another layer has at the middle of each position, [positions, its width].
  public let context: DoubleMatrix

  public init(
    file: String, group: String, rows: Tensor, spans: [TimeSpan], phones: [String],
    context: DoubleMatrix
  ) {
    precondition(spans.count == rows.rows && phones.count == rows.rows && context.rows == rows.rows)
    (self.file, self.group, self.rows) = (file, group, rows)
    (self.spans, self.phones, self.context) = (spans, phones, context)
  }
}

extension SpeechModel {
  /// What recordings have at a site; the members of a pair, and all of its sentence by its speaker, are one
  /// group.
  public func conceptClips(
    _ utterances: [Utterance], of pairs: [MinimalPair], at site: Site, embeddedBy other: Site,
    root: String
  ) throws -> [ConceptClip] {
    let members = pairs.flatMap { [($0.clean.id, $0.group), ($0.corrupt.id, $0.group)] }
    let groups = Dictionary(members, uniquingKeysWith: { first, _ in first })
    return try mapInParallel(utterances.count) { i in
      let one = utterances[i]
      return try conceptClip(
        one, group: groups[one.id] ?? one.id, at: site, embeddedBy: other, root: root)
    }
  }

  /// What one recording has at a site, asked "transcribe:".
  ///
  /// - Parameters:
  ///   - other: the layer that embeds stretches of sound; one with positions in time
  ///   - root: the folder below which the recordings lie
  /// - Throws: where the recording is unusable, has no phones, or either site has no position of sound.
  public func conceptClip(
    _ utterance: Utterance, group: String, at site: Site, embeddedBy other: Site, root: String
  ) throws -> ConceptClip {
    let clip = try clip(utterance.waveform(root: root))
    // No answer is compared; two tokens that differ stand for them.
    let run = try model.trace(
      Question(clip: clip, tokens: tokens(for: "transcribe:", clip: clip), answer: 0, foil: 1),
      keeping: [site, other])
    func sounding(_ site: Site) throws -> (rows: Tensor, spans: [TimeSpan]) {
      let spans = try run.place(of: site).spans
      let positions = Window.sound.positions(in: spans)
      guard !positions.isEmpty else {
        throw CellError(
          "\(utterance.id): no position of \(site) is of sound; name a site of the encoder")
      }
      return (
        try run.rows(of: Cell(site), at: positions), positions.compactMap { spans[$0] }
      )
    }
    let (own, their) = (try sounding(site), try sounding(other))
    guard let last = utterance.phones.last else {
      throw CellError("\(utterance.id): has no phones; leave it out")
    }
    let nearest = own.spans.map { span in
      their.spans.indices.reduce(0) {
        let (one, two) = (their.spans[$1].centre, their.spans[$0].centre)
        return abs(one - span.centre) < abs(two - span.centre) ? $1 : $0
      }
    }
    return ConceptClip(
      file: utterance.file, group: group, rows: own.rows, spans: own.spans,
      phones: own.spans.map { span in
        (utterance.phones.first { span.centre < $0.end } ?? last).label
      },
      context: DoubleMatrix(their.rows).rows(nearest))
  }
}

/// Positions of several phones, as many of each.
public struct PhonePositions: Sendable {
  /// [positions, width].
  public let rows: Tensor
  public let labels: [String]
  /// Of each position's clip.
  public let groups: [String]

  public init(rows: Tensor, labels: [String], groups: [String]) {
    precondition(labels.count == rows.rows && groups.count == rows.rows)
    (self.rows, self.labels, self.groups) = (rows, labels, groups)
  }
}

extension [ConceptClip] {
  /// So many positions of each phone, spread evenly over the clips.
  ///
  /// - Parameters:
  ///   - known: the phones that count, also where they have fewer positions; all that have as many where nil
  /// - Throws: where no phone has as many.
  public func positions(each count: Int, of known: Set<String>? = nil) throws -> PhonePositions {
    var places: [String: [(clip: Int, position: Int)]] = [:]
    for (c, clip) in enumerated() {
      for (p, phone) in clip.phones.enumerated() where known?.contains(phone) ?? true {
        places[phone, default: []].append((c, p))
      }
    }
    let kept = places.sorted { $0.key < $1.key }
      .filter { known != nil || $0.value.count >= count }
      .flatMap { label, all in all.spread(count).map { (label, $0) } }
    guard !kept.isEmpty else {
      throw CellError(
        "no phone has \(count) positions in \(self.count) clips; give more recordings")
    }
    return PhonePositions(
      rows: joiningRows(kept.map { gatherRows(self[$0.1.clip].rows, [$0.1.position]) }),
      labels: kept.map(\.0), groups: kept.map { self[$0.1.clip].group })
  }
}
