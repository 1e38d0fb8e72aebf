// A map as the page shows it on which it is explored (`ExplorerPage`): its values by pair and over all pairs,
// what the model says with each cell patched, and the recordings.

import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech

/// The recordings of pairs, as the page plays and draws them.
struct ExploredSounds {
  private static let bands = 80
  /// What Base64 makes of three bytes.
  private static let encoded = 4

  /// By name.
  private(set) var json: [String: JSON] = [:]
  /// The names of the clean and the corrupt recording, by pair.
  private(set) var names: [String: (clean: String, corrupt: String)] = [:]

  /// - Throws: where they alone are more than a page holds; the error says how many pairs are not.
  init(_ pairs: [OpenedPair]) throws {
    var size = 0
    for (i, opened) in pairs.enumerated() {
      let pair = opened.pair
      let clean = try heard(pair.clean)
      let corrupt =
        try opened.corruption.sound(of: clean, pair: pair.id) ?? heard(pair.corrupt)
      names[pair.id] = (try add(clean, &size), try add(corrupt, &size))
      guard size > ExplorerPage.limit else { continue }
      throw CellError(
        "the recordings of \(pairs.count) pairs are more than the "
          + "\(ExplorerPage.limit / 1_000_000) MB of a page: "
          + (i > 0
            ? "those of \(i) fit, so say --limit \(i)"
            : "not even one pair's fit; take shorter ones"))
    }
  }

  private mutating func add(_ wave: Waveform, _ size: inout Int) throws -> String {
    let samples = wave.samples.map { sample in
      Int16(max(-32768, min(32767, (sample * 32768).rounded(.toNearestOrEven))))
    }
    let bytes = samples.flatMap {
      [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
    }
    let name = String("\(Digest(of: bytes))".prefix(16))
    guard json[name] == nil else { return name }
    let frames = (wave.samples.count + LogMel.hop - 1) / LogMel.hop
    let mel = LogMel(bands: Self.bands, samples: frames * LogMel.hop)(wave.samples)
    let (low, high) = (mel.numbers.min() ?? 0, mel.numbers.max() ?? 0)
    // By band, then by frame; dark where there is energy.
    let picture = (0..<Self.bands).flatMap { band in
      (0..<frames).map { frame in
        UInt8((255 * (mel[frame, band] - low) / max(high - low, 1e-6)).rounded())
      }
    }
    size += Self.encoded * (bytes.count + picture.count) / 3
    json[name] = [
      "pcm": .string(Data(bytes).base64EncodedString()), "rate": .integer(wave.rate),
      "ms": .number((wave.duration * 1e6).rounded() / 1e3), "frames": .integer(frames),
      "bands": .integer(Self.bands), "mel": .string(Data(picture).base64EncodedString()),
    ]
    return name
  }
}

extension OpenedModel {
  /// How the model answers, at most so many tokens; nil where what it says cannot be read, or where it speaks
  /// while it hears, so that no prompt is there to be patched.
  func speaking(limit: Int) throws -> GenerationConfig? {
    guard text([]) != nil, !(model is Moshi) else { return nil }
    var config = try GenerationConfig(folder: folder)
    config.limit = limit
    return config
  }
}

/// The map with its recordings, as `ExplorerPage` takes it.
func explored(
  _ run: PairRun, _ report: MapReport, _ asked: MapRequest, _ rows: [GridRow],
  _ columns: [GridWindow], _ measured: [MeasuredPair], _ sounds: ExploredSounds
) -> JSON {
  let wrongItem = MatchedControl.wrongItem.rawValue
  let ownControl = asked.controls.first
  let directions = asked.directions.enumerated().reduce(into: [String: JSON]()) { all, next in
    let (d, direction) = next
    var members: [String: JSON] = [
      "effect": grid(report.recovery(d, .logitDifference)),
      "low": grid(report.recoveries[d][.logitDifference]!.map { $0.map { $0?.interval?.low } }),
      "high": grid(report.recoveries[d][.logitDifference]!.map { $0.map { $0?.interval?.high } }),
    ]
    if let ownControl {
      members["control"] = grid(report.recovery(d, .logitDifference, of: ownControl))
    }
    if asked.search != nil {
      members["search"] = grid(
        rows.indices.map { row in
          columns.indices.map { column in
            let own = measured.compactMap { pair in
              pair.estimates[d][row][column].map { ($0, pair.way(direction)) }
            }
            return own.isEmpty
              ? nil : own.reduce(0) { $0 + $1.0 } / own.reduce(0) { $0 + $1.1 }
          }
        })
    }
    all[direction.rawValue] = .object(members)
  }
  let pairs = zip(run.kept, measured).map { opened, found in
    exploredPair(run, opened, found, asked, ownControl, sounds)
  }
  let folder = URL(fileURLWithPath: run.opened.folder).standardizedFileURL.lastPathComponent
  var map: [String: JSON] = [
    "model": .string(folder), "task": .string(run.askedTitle),
    "made": .string(
      "tap map; model \(run.pairs.modelDigest.prefix(12)), pairs "
        + "\(run.pairs.pairsDigest.prefix(12)), recordings "
        + "\(run.pairs.recordingsDigest.prefix(12)); windows \(run.plan)"),
    "rows": .array(rows.map { .string("\($0)") }),
    "columns": columnList(columns, run.kept.map { $0.length(.sufficiency) }.max() ?? 0),
    "directions": .object(directions),
    "pairs": .array(pairs),
  ]
  if let ownControl {
    map["control"] = .string(
      ownControl == wrongItem ? "another item, a move as long" : "control: \(ownControl)")
  }
  if let search = asked.search { map["estimate"] = .string(search.name) }
  return ["maps": [.object(map)], "sounds": .object(sounds.json)]
}

private func exploredPair(
  _ run: PairRun, _ opened: OpenedPair, _ found: MeasuredPair, _ asked: MapRequest,
  _ control: String?,
  _ sounds: ExploredSounds
) -> JSON {
  let pair = opened.pair
  let texts = Array(
    Set(found.spoken?.patched.flatMap { $0.flatMap { $0.compactMap { $0 } } } ?? [])
  ).sorted()
  let places = Dictionary(uniqueKeysWithValues: texts.enumerated().map { ($1, $0) })
  let directions = asked.directions.enumerated().reduce(into: [String: JSON]()) { all, next in
    let (d, direction) = next
    let (base, source) =
      direction == .sufficiency ? (found.corrupt, found.clean) : (found.clean, found.corrupt)
    func recoveries(_ outcomes: [[Outcome?]]) -> JSON {
      grid(
        outcomes.map {
          $0.map { $0.flatMap { Metric.logitDifference.recovery(of: $0, from: base, to: source) } }
        })
    }
    var members: [String: JSON] = ["effect": recoveries(found.patched[d])]
    if let control, let own = found.controls[control] { members["control"] = recoveries(own[d]) }
    // Windows of time are the same for all pairs.
    if run.plan == .segments, let own = try? run.windows(opened, direction) {
      members["columns"] = columnList(own, opened.length(direction))
    }
    if asked.search != nil {
      members["search"] = grid(
        found.estimates[d].map { $0.map { $0.map { $0 / found.way(direction) } } })
    }
    if let spoken = found.spoken {
      members["said"] = .array(
        spoken.patched[d].map { .array($0.map { $0.map { .integer(places[$0]!) } ?? .null }) })
    }
    all[direction.rawValue] = .object(members)
  }
  let names = sounds.names[pair.id]!
  func member(_ sound: String, _ answer: String, _ said: String?, _ segments: [Segment]?) -> JSON {
    [
      "sound": .string(sound), "answer": .string(answer), "said": .string(said ?? ""),
      "phones": .array(
        (segments ?? []).map { phone -> JSON in
          [.string(phone.label), .number(phone.start), .number(phone.end)]
        }),
    ]
  }
  let segments = opened.segments(.necessity)
  return [
    "id": .string(pair.id), "prompt": .string(pair.prompt),
    "clean": member(names.clean, pair.answer, found.spoken?.clean, segments?.base),
    "corrupt": member(names.corrupt, pair.foil, found.spoken?.corrupt, segments?.source),
    "texts": .array(texts.map { .string($0) }), "directions": .object(directions),
  ]
}

extension MeasuredPair {
  /// The logit difference from the base run to the source run, in nats.
  fileprivate func way(_ direction: Direction) -> Double {
    let gap = clean.logitDifference - corrupt.logitDifference
    return direction == .sufficiency ? gap : -gap
  }
}

/// Windows with their times in milliseconds, or their places in the text.
///
/// - Parameter length: milliseconds of the whole sound
private func columnList(_ windows: [GridWindow], _ length: Double) -> JSON {
  .array(
    windows.map { window in
      var members: [String: JSON] = ["name": .string(window.name)]
      switch window.window {
      case .milliseconds(let start, let end):
        members["start"] = .number(start)
        members["end"] = .number(end)
      case .text:
        // Pairs share the name; how much of longer answers lies behind it is theirs.
        if case .text(let first, _)? = try? Window(window.name) {
          members["text"] = .integer(first)
        }
      default: (members["start"], members["end"]) = (0, .number(length))
      }
      return .object(members)
    })
}

/// Values to four places, which is more than is shown; what is missing or not finite is null.
private func grid(_ values: [[Double?]]) -> JSON {
  .array(values.map { numbers($0.map { $0.map { ($0 * 1e4).rounded() / 1e4 } }) })
}
