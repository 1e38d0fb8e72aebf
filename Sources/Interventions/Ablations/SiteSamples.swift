// What a model has at the positions of the sound of many recordings, at several sites, with the phone
// that is spoken there: what autoencoders and probes are trained on (`paper/definitions.md`, D145).

import Corpus
import Speech
import Tensor

/// The activations of one site at every position of the sound, recording after recording.
public struct SiteSamples: Sendable {
  public let site: Site
  /// [positions, width].
  public let samples: Tensor
  /// By position: the recording, by its place among the utterances, and the phone in which the
  /// position's middle lies.
  public let recordings: [Int]
  public let phones: [String]
  /// By recording: the mean over its positions.
  public let means: [[Double]]
  /// By recording and phone: the mean over the positions whose middle lies in it, or where there is none
  /// the position whose middle is nearest to its own.
  public let phoneMeans: [[[Double]]]

  /// The mean of the positions, [width].
  public var mean: [Double] { DoubleMatrix(samples).columnMeans }
}

extension SpeechModel {
  /// Runs every recording once.
  ///
  /// - Parameters:
  ///   - utterances: with boundaries of their phones
  ///   - prompt: what is asked; sites before it do not hear it
  ///   - root: the folder below which the recordings lie
  /// - Throws: where a recording is unusable or has no position of sound at a site.
  public func samples(
    of utterances: [Utterance], prompt: String, at sites: [Site], root: String
  ) throws -> [SiteSamples] {
    let heard = try mapInParallel(utterances.count) { i -> [HeardRecording] in
      let clip = try clip(utterances[i].waveform(root: root))
      // No answer is compared; two tokens that differ stand for them.
      let question = Question(
        clip: clip, tokens: try tokens(for: prompt, clip: clip), answer: 0, foil: 1)
      let run = try model.trace(question, keeping: sites)
      return try sites.map { site in
        let spans = try run.place(of: site).spans
        let positions = Window.sound.positions(in: spans)
        return try HeardRecording(
          run.rows(of: Cell(site), at: positions), positions.map { spans[$0]!.centre },
          utterances[i], of: site)
      }
    }
    return sites.indices.map { s in
      let own = heard.map { $0[s] }
      return SiteSamples(
        site: sites[s], samples: joiningRows(own.map(\.rows)),
        recordings: own.enumerated().flatMap { i, one in one.phones.map { _ in i } },
        phones: own.flatMap(\.phones), means: own.map { DoubleMatrix($0.rows).columnMeans },
        phoneMeans: own.map(\.phoneMeans))
    }
  }
}

/// One recording at one site.
private struct HeardRecording: Sendable {
  let rows: Tensor
  let phones: [String]
  let phoneMeans: [[Double]]

  /// - Parameter centres: of the positions, in milliseconds
  init(_ rows: Tensor, _ centres: [Double], _ utterance: Utterance, of site: Site) throws {
    guard let last = utterance.phones.last, !centres.isEmpty else {
      throw CellError(
        "\(utterance.id): has no phones, or no position of sound at \(site); leave it out")
    }
    self.rows = rows
    // A position may lie a frame behind the last boundary.
    phones = centres.map { centre in
      (utterance.phones.first { centre < $0.end } ?? last).label
    }
    let numbers = DoubleMatrix(rows)
    phoneMeans = utterance.phones.map { phone in
      let inside = centres.indices.filter { (phone.start..<phone.end).contains(centres[$0]) }
      let middle = (phone.start + phone.end) / 2
      let nearest = centres.indices.min { abs(centres[$0] - middle) < abs(centres[$1] - middle) }!
      return numbers.rows(inside.isEmpty ? [nearest] : inside).columnMeans
    }
  }
}

/// Phones of recordings, as many of each: what a probe is trained on, or tried on.
public struct PhoneSet: Sendable {
  /// Which phone of which recording.
  public let places: [(recording: Int, phone: Int)]
  public let labels: [String]

  /// So many occurrences of every phone that has them, spread evenly over the recordings.
  ///
  /// - Parameters:
  ///   - known: the phones that count; all where nil
  ///   - all: whether a phone with fewer occurrences keeps those it has
  public init(
    _ utterances: [Utterance], each count: Int, known: Set<String>? = nil, all: Bool = false
  ) {
    var found: [String: [(Int, Int)]] = [:]
    for (r, utterance) in utterances.enumerated() {
      for (p, phone) in utterance.phones.enumerated() where known?.contains(phone.label) ?? true {
        found[phone.label, default: []].append((r, p))
      }
    }
    let kept = found.sorted { $0.key < $1.key }.filter { all || $0.value.count >= count }
    let chosen = kept.flatMap { label, places in places.spread(count).map { (label, $0) } }
    places = chosen.map { (recording: $0.1.0, phone: $0.1.1) }
    labels = chosen.map(\.0)
  }

  /// What a site has of them.
  public func samples(at site: SiteSamples) -> LabelledSamples {
    LabelledSamples(places.map { site.phoneMeans[$0.recording][$0.phone] }, labels: labels)
  }
}
