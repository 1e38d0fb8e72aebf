// The diphone voices kal and ked through the festival program.
//
// Phones, lengths and pitch go in as a Segments utterance, so all of it is under control. Lengths
// for free speech come from festival's own models first, and are then spoken the same way.

import Corpus
import Foundation

struct Festival {
  private let speaker: Voice
  private let program: URL
  private let folder: URL

  /// - Parameter folder: an existing folder for scripts and sounds on their way.
  init(_ speaker: Voice, folder: URL) throws {
    self.speaker = speaker
    self.folder = folder
    program = try Subprocess.locate("festival", package: "festival")
    try run("(voice_\(speaker)_diphone)")
  }

  func speak(_ requests: [Request]) throws -> [Spoken] {
    let phones = try timed(requests)
    var script = "(voice_\(speaker)_diphone)\n"
    for (i, phones) in phones.enumerated() {
      let segments = phones.map { phone in
        "(\(phone.name) \(phone.seconds) (\(phone.seconds / 2) \(phone.pitch)))"
      }
      script += "(set! u (utt.synth (eval (list 'Utterance 'Segments '("
      script += segments.joined(separator: " ") + ")))))\n(utt.save.wave u \"\(i).wav\" 'riff)\n"
    }
    try run(script)
    return try phones.enumerated().map { i, phones in
      let path = folder.appendingPathComponent("\(i).wav").path
      let (samples, rate) = try Clip.riff(path)
      guard rate == 16000 else { throw CorpusError("festival spoke at \(rate) Hz") }
      try FileManager.default.removeItem(atPath: path)
      var end = 0.0
      let ends = phones.map { phone in
        end += phone.seconds
        return Int((end * 16000).rounded())
      }
      // Festival goes on for two or three pitch periods of silence.
      let count = ends.last!
      guard abs(samples.count - count) < 1000 else {
        throw CorpusError("festival spoke \(samples.count) samples where \(count) were asked for")
      }
      let padding = [Int16](repeating: 0, count: max(0, count - samples.count))
      return Spoken(samples: samples.prefix(count) + padding, ends: ends)
    }
  }

  private struct Segment {
    let name: String
    let seconds: Double
    let pitch: Double
  }

  private func timed(_ requests: [Request]) throws -> [[Segment]] {
    var free: [[Segment]] = try freeSegments(requests).reversed()
    return requests.map { request in
      switch request {
      case .timed(_, let phones):
        phones.map { Segment(name: $0.name, seconds: Double($0.steps) * 0.005, pitch: $0.pitch) }
      case .free, .text: free.removeLast()
      }
    }
  }

  /// Lengths and pitch as festival's own models have them, stretched as requested.
  private func freeSegments(_ requests: [Request]) throws -> [[Segment]] {
    let free = requests.compactMap { request -> (Request, Double, Double)? in
      switch request {
      case .timed: return nil
      case .free(_, let rate, let pitch), .text(_, let rate, let pitch):
        return (request, rate, pitch)
      }
    }
    guard !free.isEmpty else { return [] }
    let steps = [
      "Initialize", "Text", "Token_POS", "Token", "POS", "Phrasify", "Word", "Pauses",
      "Intonation", "Duration", "Int_Targets",
    ]
    var script = "(voice_\(speaker)_diphone)\n"
    for word in Lexicon.words.values.sorted(by: { $0.spelling < $1.spelling }) {
      script += "(lex.add.entry '(\"\(word.spelling)\" nil \(syllables(word))))\n"
    }
    script += "(define (plan text) (let ((u (eval (list 'Utterance 'Text text)))) "
    script += steps.map { "(\($0) u)" }.joined(separator: " ")
    script += """
       (mapcar (lambda (s) (format t "s %s %f\\n" (item.name s) (item.feat s 'end)))
         (utt.relation.items u 'Segment))
       (mapcar (lambda (s) (format t "t %f %f\\n" (item.feat s 'pos) (item.feat s 'f0)))
         (utt.relation.leafs u 'Target))
       (format t "e\\n")))

      """
    for (request, _, _) in free {
      script += "(plan \"\(request.words.joined(separator: " "))\")\n"
    }
    let plans = try run(script).split(separator: "e\n").map(String.init)
      .filter { $0.contains("s pau") }
    guard plans.count == free.count else { throw CorpusError("festival planned too few sentences") }
    return try zip(free, plans).map { try segments($0.0, plan: $1, rate: $0.1, pitch: $0.2) }
  }

  private func segments(
    _ request: Request, plan: String, rate: Double, pitch: Double
  ) throws -> [Segment] {
    let lines = plan.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let segments = lines.filter { $0.count == 3 && $0[0] == "s" }
    let targets = lines.filter { $0.count == 3 && $0[0] == "t" }
      .compactMap { line in Double(line[1]).flatMap { t in Double(line[2]).map { (t, $0) } } }
    let isAsked = request.phones.isEmpty || segments.map { $0[1] } == request.phones
    guard isAsked, !targets.isEmpty else {
      let said = segments.map { $0[1] }.joined(separator: " ")
      throw CorpusError("festival says \"\(request.words.joined(separator: " "))\" as \(said)")
    }
    var start = 0.0
    return segments.map { line in
      let end = Double(line[2]) ?? start
      defer { start = end }
      // A whole number of samples, so that the boundaries are exact.
      let stretched = line[1] == "pau" ? min(end - start, 0.1) : (end - start) * rate
      return Segment(
        name: line[1], seconds: (stretched * 16000).rounded() / 16000,
        pitch: (interpolate(targets, at: (start + end) / 2) * pitch).rounded())
    }
  }

  private func interpolate(_ points: [(Double, Double)], at t: Double) -> Double {
    guard let next = points.firstIndex(where: { $0.0 > t }) else { return points.last!.1 }
    guard next > 0 else { return points[0].1 }
    let (a, b) = (points[next - 1], points[next])
    return a.1 + (b.1 - a.1) * (t - a.0) / (b.0 - a.0)
  }

  /// A word's syllables for festival's lexicon: consonants before a vowel go with it.
  private func syllables(_ word: Word) -> String {
    var parts: [(phones: [String], stress: Int)] = []
    var open: [String] = []
    let vowels = word.stressedPhones.filter { $0.last!.isNumber }.count
    for phone in word.stressedPhones {
      if let stress = phone.last?.wholeNumberValue {
        parts.append((open + [String(phone.dropLast())], stress))
        open = []
      } else if parts.count == vowels {
        parts[parts.count - 1].phones.append(phone)
      } else {
        open.append(phone)
      }
    }
    let text = parts.map { "((\($0.phones.joined(separator: " "))) \($0.stress))" }
    return "(\(text.joined(separator: " ")))"
  }

  @discardableResult
  private func run(_ script: String) throws -> String {
    let file = folder.appendingPathComponent("script.scm")
    try Data(script.utf8).write(to: file)
    return try Subprocess.run(
      program, ["-b", file.lastPathComponent], in: folder,
      failure: "festival has no voice \(speaker), or stopped; apt-get install "
        + speaker.packages.joined(separator: " "))
  }
}
