"""The remediations of :mod:`findings_exporter.notification.remediation` in Japanese: the same errors, the same names in braces."""
# ruff: noqa: E501, RUF001 - a line counts a Japanese letter twice; full-width punctuation is how Japanese is written

from findings_exporter.notification.remediation import Remediation

AGAIN = {
    "parameters": "ステートマシンの新しい実行を、入力 {} で開始してください。",
    "same": "ステートマシンの新しい実行を、この実行と同じ入力（コンソールで確認できます）からフィールド schedule を除いて開始してください。",
    "all_reports": "ステートマシン Export All Reports の新しい実行を、入力 {input} で開始してください。",
}
START_AGAIN = "{again}事前の後処理は不要です。"
TEST_EXPORT = "テストエクスポートを行ってください。events/test_export.json の入力で実行を開始すると、小さな実際のレポートが通常は数分で出力されます。検出結果が 0 件の場合は、セットアップの確認にはなりません。"
EXPORT_MISSED = "{again}出力されなかったレポートが出力されます。"
CHECK_SETUP = "セットアップ確認（スタックの出力 CheckSetupCommand）を実行してください。不足している設定が分かります。"
POLICIES = "バケットポリシーとキーポリシーを template.yaml と比較してください。既存のバケットやキーを使う場合は、スタックの出力にあるポリシーステートメントと比較してください。"
HEALTH = "{region} の AWS Health Dashboard を確認してください。"
REPORT_BUG = "再発する場合は、実行の履歴を添えて Issue を作成してください。"
ENABLED = "{region} で Inspector が有効か確認してください。"
DEPLOY = "スタックを再度デプロイしてください。"

NOT_SEEN = "組織のポリシーと、失敗後の変更は、この確認では分かりません。"
FOUND, ALL_PASSED = "セットアップ確認の結果: {sentences}", "セットアップ確認では問題は見つかりませんでした。"

NO_BUCKET = Remediation(
    "バケットが存在しません",
    "バケット {bucket} が存在しないか、所有者がアカウント {owner} ではなくなっています。",
    (
        "S3 コンソールでバケットを確認してください。",
        "既存のバケットを使う場合は、パラメータ ExistingBucketName と ExistingBucketOwner を修正し、スタックをデプロイしてください。",
        "スタックのバケットだった場合は、別のスタック名でデプロイしてください。新しいバケットが作成されます。",
        TEST_EXPORT,
        EXPORT_MISSED,
    ),
)
SLOW = Remediation(
    "ステップがタイムアウトしました",
    "再試行しても、関数がタイムアウトまでに完了しませんでした。多くの場合、呼び出し先の AWS サービスが応答していません。",
    (HEALTH, START_AGAIN),
)
LAMBDA_FAILED = Remediation(
    "Lambda から応答がありません",
    "再試行しても、Step Functions が Lambda を呼び出せないか、応答を得られませんでした。",
    ("{region} の Lambda について AWS Health Dashboard を確認してください。", START_AGAIN),
)
DIED = Remediation(
    "ステップが異常終了しました",
    "再試行しても、関数のプロセスが応答前に終了しました。多くの場合、メモリ不足が原因です。",
    (
        "実行を開いて失敗したステップを特定し、そのロググループの最後の行を確認してください。",
        "メモリを使い切っている場合は、template.yaml の MemorySize を増やしてスタックをデプロイしてください。",
        START_AGAIN,
    ),
)
WORKFLOW_BROKE = Remediation(
    "ワークフローのエラー",
    "Step Functions がワークフロー自身のデータを評価できませんでした。このプログラム、またはその変更の不具合です。",
    ("ステートマシンを手動で変更した場合は、スタックを再度デプロイしてください。", START_AGAIN, REPORT_BUG),
)
REMEDIATIONS = {
    "InvalidInput": Remediation(
        "入力に誤りがあります",
        "実行の入力、または既定値として使われるスタックのパラメータが、docs/configuration.md に記載の形式ではありません。",
        ("上に示した項目を修正してください。", "新しい実行を開始してください。events/ のファイルが正しい入力の例です。"),
    ),
    "LockNotObtained": Remediation(
        "別の実行がエクスポート中でした",
        "Inspector が同時に作成できるレポートは 1 つだけのため、実行は順番に行われます。先の実行が、この実行の期限までに終わりませんでした。",
        (
            "上に示した実行を開き、完了するまで待ってください。",
            "常にこの程度の時間がかかる場合は、パラメータ DeadlineHours を増やすか、フィルター条件を絞り込んでください。",
            START_AGAIN,
        ),
    ),
    "InspectorBusy": Remediation(
        "Inspector が別のレポートを作成中です",
        "Inspector が同時に作成できるレポートは、アカウントとリージョンごとに 1 つだけです。外部レポートが進行中で、on_busy が fail に設定されています。",
        ("そのレポートの完了後に新しい実行を開始するか、on_busy を wait にして開始してください。",),
    ),
    "DeadlineExceeded": Remediation(
        "期限を過ぎました",
        "レポートが期限内に完了しませんでした。Inspector の所要時間に保証はなく、検出結果が多い場合や混雑時は長くなります。",
        (
            "以前は短時間で完了していた場合は、{region} の Inspector について AWS Health Dashboard を確認してください。",
            "それ以外の場合は、パラメータ DeadlineHours（最大 24）か入力の deadline_hours を増やすか、フィルター条件を絞り込んでください。",
            START_AGAIN,
        ),
    ),
    "CreateRefused": Remediation(
        "Inspector がレポートを拒否しました",
        "Inspector が要求を受け付けませんでした。理由は上に示したとおりです。",
        ("理由にフィルターが示されている場合は、フィルター条件を修正してください。", ENABLED, START_AGAIN),
    ),
    "Report.INVALID_PERMISSIONS": Remediation(
        "Inspector がレポートを書き込めません",
        "バケット {bucket} のバケットポリシーかキー {key} のキーポリシーで、このアカウントのレポートの書き込みが Inspector に許可されていないか、Deny ステートメントで拒否されています。",
        (
            CHECK_SETUP,
            POLICIES,
            "aws:SourceAccount が {account} で、aws:SourceArn にリージョン {region} が含まれていることを確認してください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.BUCKET_NOT_FOUND": NO_BUCKET,
    "NoSuchBucket": NO_BUCKET,
    "Report.INCOMPATIBLE_BUCKET_REGION": Remediation(
        "バケットが別のリージョンにあります",
        "Inspector は、検出結果と同じリージョン {region} のバケットにのみレポートを書き込みます。",
        (
            "パラメータ ExistingBucketName に {region} のバケットを指定するか、空にしてスタックのバケットを使ってください。",
            "スタックをデプロイしてください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.MALFORMED_KMS_KEY": Remediation(
        "KMS キーを使えません",
        "Inspector はキー {key} で暗号化できません。キーは {region} にある有効な対称キーで、カスタマー管理であり、ARN で指定されている必要があります。",
        (
            "KMS コンソールでキーの状態と種類を確認してください。無効な場合は有効にし、削除待ちの場合は削除をキャンセルしてください。",
            "できない場合は、パラメータ ExistingKeyArn に別のキーを指定するか、空にしてスタックのキーを使い、スタックをデプロイしてください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Report.INTERNAL_ERROR": Remediation(
        "Inspector の内部エラー",
        "Inspector の内部エラーでレポートが終了しました。通常は一時的なものです。",
        (START_AGAIN, HEALTH, "再発する場合は、上に示したレポート ID を AWS サポートに伝えてください。"),
    ),
    "Report.CANCELLED": Remediation(
        "レポートがキャンセルされました",
        "この実行の待機中に、ユーザー、別のツール、または別のスタックが Inspector でレポートをキャンセルしました。",
        ("CloudTrail の「イベント履歴」で、イベント名 CancelFindingsReport から操作者を確認してください。", START_AGAIN),
    ),
    "Report.UNKNOWN": Remediation(
        "Inspector にレポートがありません",
        "Inspector が受け付けたレポートの情報が残っていません。Inspector を無効にすると起こります。",
        (ENABLED, START_AGAIN),
    ),
    "Delivery.Encryption": Remediation(
        "レポートの暗号化が異なります",
        "レポートが指定したキーで暗号化されていません。バケット {bucket} のデフォルトの暗号化、または別の書き込みで置き換えられました。",
        (
            "バケットのデフォルトの暗号化にキー {key} を設定してください。",
            "残してはならない場合は、上に示したレポートを削除してください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Delivery.Missing": Remediation(
        "レポートファイルがありません",
        "Inspector は成功を報告しましたが、ファイルを書き込まなかったか、ファイルが移動または削除されました。",
        (
            "バケット {bucket} の新しいオブジェクトを移動または削除するものを特定してください。S3 のデータイベントを記録していれば、CloudTrail で確認できます。",
            START_AGAIN,
            "再発する場合は、レポート ID を AWS サポートに伝えてください。",
        ),
    ),
    "Delivery.Corrupt": Remediation(
        "レポートファイルが破損しています",
        "Inspector は成功を報告しましたが、ファイルは完全な検出結果レポートではありません。",
        (
            "上に示したファイルを確認してください。ファイルは残してあります。",
            START_AGAIN,
            "再発する場合は、レポート ID を AWS サポートに伝えてください。",
        ),
    ),
    "AccessDeniedError": Remediation(
        "AWS が呼び出しを拒否しました",
        "上に示した呼び出しが、関数のロール、バケットポリシー、キーポリシー、または組織のサービスコントロールポリシーで許可されていないか、拒否されています。"
        "Inspector が有効でない場合は Inspector が、バケットの所有者が {owner} でない場合は S3 が拒否します。",
        (
            CHECK_SETUP,
            "{region} で Inspector が有効か、バケットの所有者がアカウント {owner} か確認してください。",
            "スタックのロールを手動で変更した場合は、スタックを再度デプロイしてください。",
            POLICIES,
            "サービスコントロールポリシーが示されている場合は、呼び出しの許可を管理者に依頼してください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "LockLostError": Remediation(
        "実行がロックを保持していません",
        "ロックを保持していないため、実行を停止しました。実行を再駆動（redrive）すると起こります。",
        ("新しい実行を開始してください。再駆動には対応していません。",),
    ),
    "ServiceUnavailableError": Remediation(
        "AWS のサービスを利用できません",
        "再試行しても、AWS のサービスがスロットリングかエラーを返すか、応答しませんでした。",
        (HEALTH, START_AGAIN),
    ),
    "StillCreatingError": Remediation(
        "レポートが開始される可能性があります",
        "Inspector にレポートの作成を要求している間に、関数が中断されました。レポートが現れる可能性がなくなるまで、ロックを保持します。",
        ("対処は不要です。次の実行か 1 時間ごとのクリーンアップが、レポートをキャンセルしてロックを解放します。", START_AGAIN),
    ),
    "StillRunningError": Remediation(
        "キャンセルしたレポートが進行中です",
        "Inspector にレポートのキャンセルを要求しましたが、まだ進行中と表示されます。",
        ("対処は不要です。次の実行か 1 時間ごとのクリーンアップが、再度キャンセルして完了を待ちます。", START_AGAIN),
    ),
    "NotificationInProgressError": Remediation(
        "通知が保留中です",
        "結果は記録済みです。別の関数が通知の送信を始めましたが、時間内に完了しませんでした。",
        (
            "この実行の通知が届いていれば、対処は不要です。記録された結果が書かれています。",
            "届いていない場合は、次の 1 時間ごとのクリーンアップを待ってください。そこで通知が送信されます。",
        ),
    ),
    "NotRecordedError": Remediation(
        "実行の記録がありません",
        "テーブルに実行の記録がないか、一部が欠けています。削除されたか、記録の期限後に実行が再駆動されました。",
        ("テーブルを変更するのがスタックだけであることを確認してください。", START_AGAIN),
    ),
    "ConfigurationError": Remediation(
        "関数の設定が不足しています",
        "関数の環境変数が不足しています。関数が手動で変更されました。",
        (DEPLOY, TEST_EXPORT, EXPORT_MISSED),
    ),
    "UnsupportedReleaseError": Remediation(
        "実行がデプロイより古いものです",
        "スタックの更新前に開始された実行のため、デプロイ済みのリリースは対応していません。",
        (START_AGAIN,),
    ),
    "Sandbox.Timedout": SLOW,
    "Workflow.Timeout": SLOW,
    "Lambda.ServiceException": LAMBDA_FAILED,
    "Lambda.SdkClientException": LAMBDA_FAILED,
    "Lambda.ClientExecutionTimeoutException": LAMBDA_FAILED,
    "Lambda.AWSLambdaException": Remediation(
        "Lambda がステップを実行しませんでした",
        "ワークフローに関数の呼び出しが許可されていないか、状態、ロール、レイヤーの問題で関数を起動できません。Lambda が示した理由は上のとおりです。",
        (
            "Lambda コンソールで関数を開いてください。実行できない理由が表示されます。",
            "関数やロールを手動で変更した場合は、スタックを再度デプロイしてください。",
            "明示的な拒否が示されている場合は、組織のサービスコントロールポリシーの管理者に確認してください。",
            TEST_EXPORT,
            EXPORT_MISSED,
        ),
    ),
    "Lambda.Unknown": DIED,
    "Runtime.ExitError": DIED,
    "Lambda.TooManyRequestsException": Remediation(
        "Lambda がスロットリングしました",
        "再試行しても、他の関数が {region} のアカウントの Lambda 同時実行数を使い切っていました。新しいアカウントでは上限が 10 のことがあります。",
        ("Service Quotas で Lambda のクォータ「Concurrent executions」の引き上げをリクエストしてください。", START_AGAIN),
    ),
    "Workflow.UnknownAnswer": Remediation(
        "ステップの応答が想定外です",
        "ワークフローがステップの応答を解釈できないため、レポートが完全かどうかは不明です。関数とワークフローのバージョンが異なるか、どちらかが手動で変更されています。",
        (DEPLOY, START_AGAIN, REPORT_BUG),
    ),
    "States.Runtime": WORKFLOW_BROKE,
    "Workflow.QueryEvaluationError": WORKFLOW_BROKE,
    "States.DataLimitExceeded": Remediation(
        "入力が大きすぎます",
        "Step Functions がステップ間で渡せるのは最大 256 KiB で、実行の入力がそのほとんどを占めています。",
        ("入力のフィルター条件を短くしてください。", "新しい実行を開始してください。"),
    ),
    "Stopped": Remediation(
        "実行が停止されました",
        "ユーザーまたはツールが実行を停止しました。レポートが作成中であればそのキャンセルと、ロックの解放は自動で行われます。",
        ("CloudTrail の「イベント履歴」で、イベント名 StopExecution から操作者を確認してください。", START_AGAIN),
    ),
    "TimedOut": Remediation(
        "実行が制限時間に達しました",
        "ステートマシンの制限時間で実行が終了しました。レポートが作成中であればそのキャンセルと、ロックの解放は自動で行われます。通常は、その前に実行の期限で終了します。",
        (START_AGAIN, REPORT_BUG),
    ),
}
UNKNOWN = Remediation(
    "予期しないエラー",
    "このエラーについての説明はありません。",
    ("実行を開いて失敗したステップを特定し、そのロググループを確認してください。", START_AGAIN, REPORT_BUG),
)
