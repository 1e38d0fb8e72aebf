// The statistical voices awb, rms and slt through flite's library, timed to the frame.
//
// Flite asks a decision tree for the length of every state of every phone, and another for the
// pitch of every frame. A copy of the voice's tables with trees of our own makes it say exactly
// what it is told: both members of a minimal pair get the same frames. The random numbers of the
// mixed excitation come one a sample from `rand`, so both get the same noise, too.
//
// The state of the library and of `rand` belong to the process: one voice, one thread, one process.

import CFlite
import Corpus
import Foundation

struct CorpusError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

final class Flite {
  private let voice: UnsafeMutablePointer<cst_voice>
  private let tables: UnsafeMutablePointer<cst_cg_db>
  private let speaker: Voice
  /// Samples a frame: 5 ms at 16 kHz.
  private let frame = 80

  init(_ speaker: Voice) throws {
    flite_init()
    let registered =
      switch speaker {
      case .awb: register_cmu_us_awb(nil)
      case .rms: register_cmu_us_rms(nil)
      default: register_cmu_us_slt(nil)
      }
    guard let registered, let value = feat_val(registered.pointee.features, "cg_db"),
      let tables = val_cg_db(value), tables.pointee.sample_rate == 16000
    else {
      throw CorpusError("flite has no 16 kHz voice \(speaker); apt-get install libflite1")
    }
    voice = registered
    self.tables = tables
    self.speaker = speaker
  }

  func speak(_ request: Request) throws -> Spoken {
    // Flite reads the tables behind Swift's back: they live until the utterance is gone.
    let own = UnsafeMutablePointer<cst_cg_db>.allocate(capacity: 1)
    own.initialize(to: tables.pointee)
    own.pointee.freeable = 0
    let trees = Trees(types: Int(own.pointee.num_types))
    defer { withExtendedLifetime(trees) { own.deallocate() } }
    guard let utterance = new_utterance() else { throw CorpusError("flite: out of memory") }
    defer { delete_utterance(utterance) }
    let names = try analyse(request, in: utterance)

    let features = utterance.pointee.features
    switch request {
    case .timed(_, let phones):
      trees.setLengths(stateSteps(phones), in: &own.pointee)
      trees.setPitch(phones.map(\.pitch), in: &own.pointee)
    case .text(_, let rate, let pitch):
      feat_set_float(features, Feature.stretch, Float(rate))
      feat_set_float(features, Feature.shift, Float(pitch))
      // The pitch model of rms takes no shift.
      if own.pointee.spamf0 != 0 {
        trees.setPitch(contour(names).map { $0 * pitch }, in: &own.pointee)
        feat_set_float(features, Feature.shift, 1)
      }
    case .free(let words, let rate, let pitch):
      feat_set_float(features, Feature.stretch, Float(rate))
      feat_set_float(features, Feature.shift, Float(pitch))
      if own.pointee.spamf0 != 0, case .timed(_, let phones) = timedRequest(words, voice: speaker) {
        trees.setPitch(phones.map { $0.pitch * pitch }, in: &own.pointee)
        feat_set_float(features, Feature.shift, 1)
      }
    }
    feat_set(features, Feature.tables, cg_db_val(own))
    srand(1)
    cg_synth(utterance)
    return try result(of: utterance, request)
  }

  /// Pitch for phones of any words, as `timedRequest` has it, but by count and not by time.
  private func contour(_ names: [String]) -> [Double] {
    names.enumerated().map { i, name in
      let place = (Double(i) + 0.5) / Double(names.count)
      return speaker.pitch * (Delivery().contour(place) + (Phones.isVowel(name) ? 0.07 : 0))
    }
  }

  /// Everything before synthesis, with our own pronunciations unless flite's are asked for. Its
  /// changes between words ("the" before a vowel) go with its own only. The phones that come out.
  private func analyse(
    _ request: Request, in utterance: UnsafeMutablePointer<cst_utterance>
  ) throws -> [String] {
    feat_set_string(
      utterance.pointee.features, Feature.text, request.words.joined(separator: " "))
    utt_init(utterance, voice)
    default_tokenization(utterance)
    var token = relation_head(utt_relation(utterance, "Token"))
    for word in request.phones.isEmpty ? [] : request.words {
      let phones = Lexicon.word(word).stressedPhones.joined(separator: " ")
      item_set_string(token, Feature.phones, phones)
      token = item_next(token)
    }
    default_textanalysis(utterance)
    default_pos_tagger(utterance)
    default_phrasing(utterance)
    default_lexical_insertion(utterance)
    default_pause_insertion(utterance)
    cart_intonation(utterance)
    if request.phones.isEmpty { cmu_postlex(utterance) }
    var segment = relation_head(utt_relation(utterance, "Segment"))
    var names: [String] = []
    while let item = segment {
      item_set_int(item, Feature.place, Int32(names.count))
      names.append(String(cString: item_feat_string(item, "name")))
      segment = item_next(item)
    }
    guard request.phones.isEmpty || names == request.phones else {
      throw CorpusError(
        "flite says \"\(request.words.joined(separator: " "))\" as \(names.joined(separator: " "))")
    }
    return names
  }

  private func result(
    of utterance: UnsafeMutablePointer<cst_utterance>, _ request: Request
  ) throws -> Spoken {
    guard let value = feat_val(utterance.pointee.features, "wave"), let wave = val_wave(value),
      wave.pointee.sample_rate == 16000, wave.pointee.num_samples > 0
    else { throw CorpusError("flite gave no sound for \(request.words)") }
    let count = Int(wave.pointee.num_samples)
    var ends: [Int] = []
    var segment = relation_head(utt_relation(utterance, "Segment"))
    while let item = segment {
      // Sample 80 k is where the filter reaches frame k; phones meet half-way between frames.
      let last = ffeature_int(item, "R:segstate.daughtern.R:mcep_link.daughtern.frame_number")
      ends.append(min(Int(last) * frame + frame / 2, count))
      segment = item_next(item)
    }
    ends[ends.count - 1] = count
    let samples = Array(UnsafeBufferPointer(start: wave.pointee.samples, count: count))
    return Spoken(samples: samples, ends: ends)
  }

  /// A phone's steps shared among its states in proportion to the voice's mean lengths.
  private func stateSteps(_ phones: [TimedPhone]) -> [[Int]] {
    phones.map { phone in
      let means = stateMeans[phone.name] ?? [1, 1, 1]
      let sum = means.reduce(0, +)
      var left = phone.steps
      return means.enumerated().map { i, mean in
        let rest = means.count - 1 - i
        let wish = rest == 0 ? left : Int((Double(phone.steps) * mean / sum).rounded())
        let steps = max(1, min(wish, left - rest))
        left -= steps
        return steps
      }
    }
  }

  /// Mean length of every state of every phone, in seconds, from the voice's tables.
  private lazy var stateMeans: [String: [Double]] = {
    var byState: [String: Double] = [:]
    var i = 0
    while let entry = tables.pointee.dur_stats[0]?[i] {
      byState[String(cString: entry.pointee.phone)] = Double(entry.pointee.mean)
      i += 1
    }
    var means: [String: [Double]] = [:]
    i = 0
    while let row = tables.pointee.phone_states[i] {
      var states: [Double] = []
      var k = 1
      while let state = row[k] {
        states.append(byState[String(cString: state)] ?? 0.02)
        k += 1
      }
      means[String(cString: row[0]!)] = states
      i += 1
    }
    return means
  }()
}

/// Names of features that are set here. Flite keeps the pointer to a name, not its letters, so they
/// are static: the address of a Swift string does not outlive the call.
private enum Feature {
  nonisolated(unsafe) static let text = pointer("input_text")
  nonisolated(unsafe) static let stretch = pointer("duration_stretch")
  nonisolated(unsafe) static let shift = pointer("f0_shift")
  nonisolated(unsafe) static let tables = pointer("cg_db")
  nonisolated(unsafe) static let phones = pointer("phones")
  nonisolated(unsafe) static let place = pointer("place")

  private static func pointer(_ name: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
