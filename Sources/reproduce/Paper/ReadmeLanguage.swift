// The words of README's table of claims, in the languages that there is a README in.

enum ReadmeLanguage: CaseIterable {
  case english, chinese

  var readme: String { self == .english ? "README.md" : "README.zh-TW.md" }

  /// What to look for, a line a claim; in another language with the claim's words too, which the ledger has in
  /// English.
  var list: String { self == .english ? "paper/claims.tsv" : "paper/claims.zh-TW.tsv" }

  var head: [String] {
    self == .english
      ? [
        "claim", "what the numbers say", "figure and tables", "command", "time", "memory",
        "what to look for",
      ] : ["主張", "數字怎麼說", "圖與表", "指令", "時間", "記憶體", "看什麼"]
  }

  /// What a figure's values and other tables are called.
  func table(_ name: String) -> String {
    let words = [
      "values": "數值", "certificate": "證明書", "pairs": "配對", "crossings": "交叉", "recordings": "錄音",
      "blocks": "區塊",
      "summary": "摘要", "published": "公開模型",
    ]
    return self == .english ? name : words[name] ?? name
  }

  func figure(_ path: String) -> String {
    let label = figureLabel(path)
    return self == .english ? label : label.replacing("Figure", with: "圖")
  }

  func verdict(holds: Int, of count: Int) -> String {
    switch (self, holds) {
    case (.english, count): count == 1 ? "holds" : "holds in \(all(count))"
    case (.english, 0): count == 1 ? "**refuted**" : "**refuted** in \(all(count))"
    case (.english, _): "holds in \(holds) of \(count)"
    case (.chinese, count): count == 1 ? "成立" : "\(count) 項全部成立"
    case (.chinese, 0): count == 1 ? "**被推翻**" : "\(count) 項全部**被推翻**"
    case (.chinese, _): "\(count) 項中 \(holds) 項成立"
    }
  }

  /// Between a claim's key and its words, and between links.
  var colon: String { self == .english ? ": " : "：" }
  var comma: String { self == .english ? ", " : "、" }

  /// So many of so many checks.
  func checks(_ holds: Int, of count: Int) -> String {
    self == .english ? "\(holds) of \(count)" : "\(count) 項中有 \(holds) 項"
  }

  private func all(_ count: Int) -> String { count == 2 ? "both" : "all \(count)" }

  /// `2 min` as this language writes it.
  func time(_ text: String) -> String {
    guard self == .chinese else { return text }
    return text.replacing("min", with: "分鐘").replacing(" s", with: " 秒").replacing(
      " h", with: " 小時")
  }

  var notRecorded: String { self == .english ? "not recorded" : "未記錄" }
}
