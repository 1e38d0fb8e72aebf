// What golden data of codecs hold beside activations: codes, streams, and the way back to sound.

import JSON
import Speech
import Tensor

extension GoldenData {
  /// Codes and streams must be equal; decoded audio may differ by 5e-5.
  func codecRows(_ run: String) throws -> [ParityRow] {
    let input = try input(run)
    if let mimi = model as? Mimi { return try mimiRows(mimi, run, input) }
    guard let moshi = model as? Moshi else { return [] }
    let user = moshi.mimi.encode(input.clip.samples).codes.prefix(moshi.config.codebooks)
    let frames = user.first?.count ?? 0
    let streams = moshi.streams(
      text: Array(input.tokens.prefix(frames)),
      voice: (input.voice ?? []).map { Array($0.prefix(frames)) }, user: Array(user))
    return try wholeRows("\(run)/user_codes", Array(user))
      + wholeRows("\(run)/input_streams", streams.inputs)
      + wholeRows("\(run)/target_streams", streams.targets)
  }

  private func mimiRows(_ mimi: Mimi, _ run: String, _ input: ModelInput) throws -> [ParityRow] {
    let codes = mimi.encode(input.clip.samples).codes
    var rows = try wholeRows("\(run)/codes", codes)
    var kept: [String: Tensor] = [:]
    let count = codes[0].count
    let audio = try mimi.decode(
      codes,
      tap: Tap { site, x in
        let step = site.activation.rawValue == "dequantised" ? 1 : mimi.config.rowsPerFrame
        kept["\(site)"] = gatherRows(x, Array(0..<min(count * step, x.rows)))
        return x
      })
    kept["dequantised"] = kept["mimi.dequantised"]
    kept["audio"] = Tensor([audio.count], audio)
    for (key, value) in kept.sorted(by: { $0.key < $1.key })
    where expected.entries["\(run)/\(key)"] != nil {
      let path = "\(run)/\(key)"
      rows.append(
        ParityRow(
          name: path, difference: try difference(value, path),
          tolerance: key == "audio" ? 5e-5 : 2e-5))
    }
    return rows
  }

  /// Whole numbers that must be equal; nothing where they are not stored.
  private func wholeRows(_ path: String, _ numbers: [[Int]]) throws -> [ParityRow] {
    guard expected.entries[path] != nil else { return [] }
    let own = Tensor([numbers.count, numbers.first?.count ?? 0], numbers.joined().map(Float.init))
    return [ParityRow(name: path, difference: try difference(own, path), tolerance: 0)]
  }
}
